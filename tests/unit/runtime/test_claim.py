# SPDX-License-Identifier: GPL-3.0-or-later
"""A device or disk file is taken in one place, and is ours until it is let go."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from oglib.errors import OgErr, OgError, WriteError
from oglib.kernel.claim import claimed
from unit.sources import attributes

CLAIMS = {
    "oglib/kernel/claim.py": "the owner",
    "oglib/kernel/users.py": "looks whether a device is claimed, and gives it back at once",
}


def test_a_claim_keeps_others_off_until_its_end(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(512))
    (tmp_path / "link").symlink_to(path)
    with claimed(tmp_path / "link", write=True) as fd:
        os.pwrite(fd, b"x", 0)
        with (
            pytest.raises(OgError, match=r"holds .*disk") as caught,
            claimed(path, write=False),
        ):
            pass
        assert caught.value.code is OgErr.LOCKED
    with claimed(path, write=False) as fd, pytest.raises(OSError, match="Bad file"):
        os.pwrite(fd, b"y", 0)
    assert path.read_bytes()[:1] == b"x"
    with pytest.raises(WriteError, match="cannot be opened"), claimed(tmp_path / "y", write=True):
        pass


def test_what_is_replaced_before_our_lock_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, newer = tmp_path / "disk", tmp_path / "newer"
    path.write_bytes(b"old")
    newer.write_bytes(b"new")
    flock = fcntl.flock

    def late(fd: int, how: int) -> None:
        if newer.exists():
            newer.rename(path)
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with claimed(path, write=False) as fd:
        assert os.pread(fd, 3, 0) == b"new"


def test_nobody_else_claims_a_device() -> None:
    """O_EXCL without O_CREAT is the kernel's claim."""
    assert attributes("O_EXCL") - attributes("O_CREAT") == set(CLAIMS)
