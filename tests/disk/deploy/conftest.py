# SPDX-License-Identifier: GPL-3.0-or-later
"""A PC that starts by BIOS, whatever this machine does, and the images it is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from disk.deploy.room import LAYOUTS, Images
from oglib.deploy.partition import checks
from oglib.deploy.system import configure, plan
from oglib.deploy.whole_disk import plan as disk_plan
from oglib.disk.firmware import Firmware


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return Images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts")
    for name, layout in LAYOUTS.items():
        (folder / f"{name}.json").write_text(json.dumps(layout))
    return folder


def started_by(firmware: Firmware, patch: pytest.MonkeyPatch) -> None:
    for room in (configure, plan, disk_plan, checks):
        patch.setattr(room, "running_firmware", lambda: firmware)


@pytest.fixture(autouse=True)
def bios(monkeypatch: pytest.MonkeyPatch) -> None:
    started_by(Firmware.BIOS, monkeypatch)
