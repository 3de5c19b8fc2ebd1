# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that a loop device lay on a moment ago is free again; one that stays is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.errors import OgErr, OgError
from oglib.image.writing import target
from oglib.kernel.loops import Loop

LOOP = Loop(Path("/dev/loop7"), ("file", 1, 2), 0, 512, False, True)


def test_a_loop_device_that_is_leaving_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(512))
    looks = iter([(LOOP,), (LOOP,), ()])
    monkeypatch.setattr(target, "loops_over", lambda _: next(looks))
    monkeypatch.setattr(target, "_LEAVING_S", 3600.0)
    with target.open_target(path, write=False) as opened:
        assert opened.size_bytes == 512
    assert next(looks, None) is None


@pytest.mark.parametrize("leaving", [True, False])
def test_one_that_stays_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaving: bool
) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(512))
    stays = Loop(LOOP.path, LOOP.storage, 0, 512, False, leaving)
    monkeypatch.setattr(target, "loops_over", lambda _: (stays,))
    monkeypatch.setattr(target, "_LEAVING_S", 0.1 if leaving else 3600.0)
    with (
        pytest.raises(OgError, match="in use by /dev/loop7") as caught,
        target.open_target(path, write=True),
    ):
        pass
    assert caught.value.code is OgErr.LOCKED
