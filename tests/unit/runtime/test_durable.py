# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files are whole or not there, and are written in one place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oglib import durable
from unit.sources import attributes

# Who flushes besides the owner, and what.
FLUSHES = {
    "oglib/durable.py": "small files and folders",
    "oglib/osconfig/replacing.py": "files of a root that is never left: by descriptors alone",
    "oglib/disk/writing/sectors.py": "the sectors of a table",
    "oglib/filesystem/ntfs_repair.py": "clusters of an NTFS",
    "oglib/deploy/whole_disk/boot_bytes.py": "boot code and gaps of a disk",
}


def test_the_new_content_is_lasting_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    seen: list[tuple[str, bytes]] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        fsync(handle)
        seen.append((Path(f"/proc/self/fd/{handle}").readlink().name, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", noted)
    durable.write_whole(path, b"new", mode=0o600)
    assert seen == [(".x.part", b"old"), ("x", b"new"), (tmp_path.name, b"new")]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_failure_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*(os, "fsync", full) if at == "fsync" else (Path, "replace", full))
    with pytest.raises(OSError, match="No space"):
        durable.write_whole(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_what_a_cut_run_or_a_stranger_left_is_not_written_through(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"theirs")
    (tmp_path / ".x.part").symlink_to(other)
    durable.write_whole(tmp_path / "x", b"ours")
    assert (other.read_bytes(), (tmp_path / "x").read_bytes()) == (b"theirs", b"ours")
    assert not (tmp_path / "x").is_symlink()


def test_a_new_file_never_takes_anothers_place(tmp_path: Path) -> None:
    durable.store(tmp_path / "x", b"one", new=True)
    with pytest.raises(FileExistsError):
        durable.store(tmp_path / "x", b"two", new=True)
    durable.store(tmp_path / "x", b"3")
    assert (tmp_path / "x").read_bytes() == b"3"


def test_a_link_is_not_synced_where_a_stranger_may_write(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path)
    durable.sync(tmp_path / "x")
    with pytest.raises(OSError, match="symbolic"):
        durable.sync(tmp_path / "x", follow=False)


def test_nobody_else_flushes() -> None:
    assert attributes("fsync") == set(FLUSHES)
