# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that several tests look at and none changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from disk.image.whole_disks import GPT, MSDOS, made_disk


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_disk(tmp_path_factory.mktemp("gpt") / "disk", "gpt", GPT)


@pytest.fixture(scope="module")
def msdos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_disk(tmp_path_factory.mktemp("msdos") / "disk", "msdos", MSDOS)
