# SPDX-License-Identifier: GPL-3.0-or-later
"""Smaller and larger again, with the content compared by hash; also after a kill in the middle."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from disk.filesystem.devices import MIB, device_of, judge, need_driver, need_tools
from oglib.errors import FilesystemError, OgErr
from oglib.filesystem.check import check_filesystem
from oglib.filesystem.kind import Grow, Shrink, Trouble
from oglib.filesystem.kinds import KINDS
from oglib.filesystem.make import format_filesystem
from oglib.filesystem.mount import mounted
from oglib.filesystem.resize import grow_filesystem, minimum_size, shrink_filesystem
from oglib.filesystem.sizes import size_of, usage_of
from oglib.filesystem.state import state_of

SHRINKING = [kind.name for kind in KINDS.values() if kind.shrink is not Shrink.NEVER]


def fill(point: Path, *, files: int, size: int) -> dict[str, str]:
    """Files all over the filesystem, of which the last ones stay: shrinking has to move them."""
    folder = point / "folder"
    folder.mkdir()
    for number in range(files):
        (folder / f"file{number}").write_bytes(hashlib.shake_128(str(number).encode()).digest(size))
    for number in range(files * 3 // 4):
        (folder / f"file{number}").unlink()
    return hashes(point)


def hashes(point: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (point / "folder").iterdir()
    }


@contextmanager
def filled(
    tmp_path: Path, kind: str, size: int, sector: int = 512, *, files: int = 64
) -> Iterator[tuple[Path, dict[str, str]]]:
    need_tools(kind)
    need_driver(kind)
    with device_of(tmp_path, size, sector) as device:
        format_filesystem(device, kind, label="data")
        with mounted(device, write=True, kind=KINDS[kind].mount_type) as point:
            content = fill(point, files=files, size=MIB)
        yield device, content


def content_of(device: Path, kind: str) -> dict[str, str]:
    with mounted(device, kind=KINDS[kind].mount_type) as point:
        return hashes(point)


@pytest.mark.parametrize(
    ("kind", "sector"),
    [*((kind, 512) for kind in SHRINKING), ("ext4", 4096), ("ntfs", 4096), ("btrfs", 4096)],
)
def test_to_the_minimum_and_back(tmp_path: Path, kind: str, sector: int) -> None:
    size = 600 * MIB if kind == "btrfs" else 120 * MIB
    with filled(tmp_path, kind, size, sector) as (device, content):
        least = minimum_size(device)
        small = shrink_filesystem(device)
        assert kind == "btrfs" or least <= small + 4096
        assert small == size_of(device) < size * 3 // 5
        assert state_of(device) == ()
        judge(kind, device)
        assert content_of(device, kind) == content
        # nothing of it is behind its new end
        with device_of(tmp_path, -(-small // 4096) * 4096, sector) as cut:
            judge(kind, cut)
            assert content_of(cut, kind) == content
        assert shrink_filesystem(device) <= small  # safe to repeat
        assert grow_filesystem(device)
        assert size_of(device) > size - 4 * MIB
        assert state_of(device) == ()
        judge(kind, device)
        assert content_of(device, kind) == content


@pytest.mark.parametrize("kind", ["ext4", "ntfs", "btrfs"])
def test_to_a_size(tmp_path: Path, kind: str) -> None:
    least = 260 * MIB if kind == "btrfs" else 40 * MIB
    with filled(tmp_path, kind, least + 60 * MIB) as (device, content):
        wanted = least + 20 * MIB
        assert wanted - 64 * 1024 <= shrink_filesystem(device, wanted) <= wanted
        now = size_of(device)
        assert shrink_filesystem(device, least + 40 * MIB) == now  # never larger
        with pytest.raises(FilesystemError) as caught:
            shrink_filesystem(device, 16 * MIB)
        assert caught.value.code == OgErr.REDUCEFS
        assert size_of(device) == now
        judge(kind, device)
        assert content_of(device, kind) == content


@pytest.mark.parametrize("kind", ["xfs", "fat32", "exfat", "f2fs", "jfs", "nilfs2"])
def test_a_kind_that_cannot_shrink_says_so(tmp_path: Path, kind: str) -> None:
    need_tools(kind)
    with device_of(tmp_path, 304 * MIB) as device:
        format_filesystem(device, kind)
        with pytest.raises(FilesystemError, match=f"holds {kind}, which cannot") as caught:
            shrink_filesystem(device)
        assert caught.value.code == OgErr.REDUCEFS


@pytest.mark.parametrize(
    "kind",
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "ntfs", "fat32", "f2fs", "reiserfs", "jfs", "nilfs2"],
)
def test_a_filesystem_fills_a_larger_partition(tmp_path: Path, kind: str) -> None:
    need_tools(kind)
    if KINDS[kind].grow in (Grow.XFS, Grow.BTRFS, Grow.JFS, Grow.NILFS2):
        need_driver(kind)
    with device_of(tmp_path, 304 * MIB) as device:
        format_filesystem(device, kind)
        before = size_of(device)
    with device_of(tmp_path, 400 * MIB) as device:
        able = KINDS[kind].grow is not Grow.NEVER
        assert grow_filesystem(device) is able
        assert grow_filesystem(device) is able  # safe to repeat
        if able:
            judge(kind, device)
            assert size_of(device) > 390 * MIB
        else:
            assert size_of(device) == before


@pytest.mark.parametrize("size", [2, 3, 5, 8, 20])
def test_small_ntfs_volumes_come_to_an_end(tmp_path: Path, size: int) -> None:
    """The old tools looked for the smallest size of such a volume for ever (#675)."""
    with device_of(tmp_path, size * MIB) as device:
        format_filesystem(device, "ntfs")
        assert minimum_size(device) <= shrink_filesystem(device) <= size * MIB
        assert grow_filesystem(device)
        judge("ntfs", device)
        assert size_of(device) > size * MIB - 8192


@pytest.mark.parametrize("left", [0, 65536])
def test_a_full_ntfs_volume_stays_as_it_is(tmp_path: Path, left: int) -> None:
    with device_of(tmp_path, 16 * MIB) as device:
        format_filesystem(device, "ntfs")
        with mounted(device, write=True, kind="ntfs-3g") as point:
            free = os.statvfs(point)
            with suppress(OSError):  # until it is full
                (point / "all").write_bytes(b"x" * (free.f_bavail * free.f_frsize - left))
        assert minimum_size(device) <= size_of(device)
        assert shrink_filesystem(device) == size_of(device) > 15 * MIB
        judge("ntfs", device)


def test_a_mounted_filesystem_keeps_its_size(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4")
        with mounted(device):
            with pytest.raises(FilesystemError, match="is mounted at") as caught:
                shrink_filesystem(device)
            assert caught.value.code == OgErr.LOCKED
            with pytest.raises(FilesystemError, match="is mounted at"):
                grow_filesystem(device)


def test_a_dirty_ntfs_volume_is_not_shrunk_but_grown(tmp_path: Path) -> None:
    with device_of(tmp_path, 32 * MIB) as device:
        format_filesystem(device, "ntfs")
        subprocess.run(["ntfsfix", device], check=True, capture_output=True)  # sets the flag
        with pytest.raises(FilesystemError, match="is not resized: Windows wants") as caught:
            shrink_filesystem(device)
        assert caught.value.code == OgErr.REDUCEFS
        assert "chkdsk" in caught.value.hint
    with device_of(tmp_path, 64 * MIB) as device:
        assert grow_filesystem(device)
        # what Windows wanted before, it wants still
        assert [state.trouble for state in state_of(device)] == [Trouble.DIRTY]


def killed(argv: list[str], event: bytes, more: int) -> None:
    """Start a tool and end it with SIGKILL as soon as it has said ``event`` and more bytes."""
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as tool:
        assert tool.stdin is not None
        assert tool.stdout is not None
        tool.stdin.write(b"y\n")  # ntfsresize asks
        tool.stdin.close()
        said = b""
        while event not in said or len(said) - said.index(event) - len(event) < more:
            byte = os.read(tool.stdout.fileno(), 1)
            assert byte, f"ended before {event!r}: {said!r}"
            said += byte
        tool.kill()
        tool.stdout.read()
    assert tool.returncode == -9, f"too late to interrupt it: {tool.returncode}"


# pass 2 moves data, pass 3 renames what pointed at it, each with a bar of progress
@pytest.mark.parametrize(
    ("event", "more"),
    [
        (b"Begin pass 2", 120),
        (b"Begin pass 3", 0),
        (b"Begin pass 3", 110),
    ],
)
def test_an_ext4_shrink_that_was_killed(tmp_path: Path, event: bytes, more: int) -> None:
    with filled(tmp_path, "ext4", 300 * MIB, files=160) as (device, content):
        check_filesystem(device)
        killed(["resize2fs", "-p", "-M", str(device)], event, more)
        assert state_of(device) != ()
        check_filesystem(device)
        assert grow_filesystem(device)
        judge("ext4", device)
        assert content_of(device, "ext4") == content
        assert size_of(device) == 300 * MIB
        assert state_of(device) == ()
        assert shrink_filesystem(device) < 200 * MIB  # and once more, to the end
        assert content_of(device, "ext4") == content


@pytest.mark.parametrize("more", [30, 400])
def test_an_ntfs_shrink_that_was_killed(tmp_path: Path, more: int) -> None:
    with filled(tmp_path, "ntfs", 300 * MIB, files=160) as (device, content):
        size = minimum_size(device) + MIB
        force = ["--force", "--force", "--size", str(size), str(device)]
        killed(["ntfsresize", *force], b"Relocating needed data", more)
        assert [state.trouble for state in state_of(device)] == [Trouble.DIRTY]
        assert check_filesystem(device).repaired
        # its own judge of what clusters are used
        force = ["--info", "--force", "--force", str(device)]
        subprocess.run(["ntfsresize", *force], check=True, capture_output=True)
        assert grow_filesystem(device)
        judge("ntfs", device)
        assert content_of(device, "ntfs") == content
        assert size_of(device) > 299 * MIB
        # Windows is still asked to look itself; when it has, shrinking goes on
        assert [state.trouble for state in state_of(device)] == [Trouble.DIRTY]
        subprocess.run(["ntfsfix", "--clear-dirty", device], check=True, capture_output=True)
        assert shrink_filesystem(device) < 100 * MIB
        assert content_of(device, "ntfs") == content


def test_usage_of_a_filesystem_smaller_than_its_partition(tmp_path: Path) -> None:
    with filled(tmp_path, "ext4", 120 * MIB) as (device, _):
        shrink_filesystem(device, 80 * MIB)
        usage = usage_of(device)
        assert 60 * MIB < usage.size_bytes < 80 * MIB
        assert 16 * MIB <= usage.used_bytes < 20 * MIB
        assert usage.free_bytes == usage.size_bytes - usage.used_bytes
        with mounted(device):
            assert usage_of(device) == usage


def test_what_has_no_files_has_no_usage(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        with pytest.raises(FilesystemError, match="no filesystem"):
            usage_of(device)
        format_filesystem(device, "swap")
        with pytest.raises(FilesystemError, match="no filesystem"):
            usage_of(device)
