# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk in a file with a Linux, a Windows and partitions that have no system."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.disk.loop import attached
from unit.inventory.trees import DEBIAN, WINDOWS_11, make_tree, make_windows

MIB = 1 << 20
LINUX, WINDOWS, EMPTY, BROKEN, RAW, BTRFS = 1, 2, 3, 4, 5, 6
LINUX_UUID = "11111111-2222-4333-8444-666666666666"
# partition → (start, size) in MiB
PLACES = {
    LINUX: (1, 24),
    WINDOWS: (25, 16),
    EMPTY: (41, 8),
    BROKEN: (49, 8),
    RAW: (57, 1),
    BTRFS: (58, 110),
}
SIZE_MIB = 170


def tool(*argv: str | Path, stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin.encode(), check=True, capture_output=True)
    return done.stdout.decode()


@contextmanager
def partition(disk: Path, number: int, sector_bytes: int) -> Iterator[Path]:
    start, size = PLACES[number]
    with attached(
        disk, offset_bytes=start * MIB, size_bytes=size * MIB, sector_bytes=sector_bytes
    ) as device:
        yield device


def make_disk(folder: Path, sector_bytes: int = 512) -> Path:
    """The file; one with 4096-byte sectors is to be attached with that size to be read."""
    disk = folder / "disk.img"
    with disk.open("wb") as file:
        file.truncate(SIZE_MIB * MIB)
    units = MIB // sector_bytes
    script = "".join(f"start={at * units}, size={size * units}\n" for at, size in PLACES.values())
    with attached(disk, sector_bytes=sector_bytes) as device:
        tool("sfdisk", "--quiet", "--no-tell-kernel", device, stdin=f"label: gpt\n{script}")
    debian = make_tree(folder / "debian", DEBIAN)
    (debian / "bin").symlink_to("usr/bin")
    with partition(disk, LINUX, sector_bytes) as device:
        tool("mkfs.ext4", "-q", "-U", LINUX_UUID, "-d", debian, device)
    _make_windows(disk, folder, sector_bytes)
    with partition(disk, EMPTY, sector_bytes) as device:
        tool("mkfs.ext4", "-q", device)
    with partition(disk, BROKEN, sector_bytes) as device:
        tool("mkfs.ext4", "-q", device)
        with device.open("r+b") as file:  # the superblock stays, what it points to goes
            file.seek(4096)
            file.write(os.urandom(4 * MIB))
    _make_btrfs(disk, folder, sector_bytes)
    return disk


def _make_btrfs(disk: Path, folder: Path, sector_bytes: int) -> None:
    """As Ubuntu has it: the system in the subvolume ``@``, which is not the default one."""
    tree = make_tree(folder / "in-subvolume", DEBIAN)
    point = folder / "btrfs"
    point.mkdir()
    with partition(disk, BTRFS, sector_bytes) as device:
        tool("mkfs.btrfs", "-q", device)
        tool("mount", device, point)
        try:
            tool("btrfs", "subvolume", "create", point / "@")
            tool("cp", "--recursive", *tree.iterdir(), point / "@")
        finally:
            tool("umount", point)


def _make_windows(disk: Path, folder: Path, sector_bytes: int) -> None:
    tree = make_windows(folder / "windows", WINDOWS_11)
    point = folder / "ntfs"
    point.mkdir()
    with partition(disk, WINDOWS, sector_bytes) as device:
        tool("mkfs.ntfs", "--quick", "--force", "--sector-size", str(sector_bytes), device)
        tool("mount", "-t", "ntfs-3g", device, point)
        try:
            tool("cp", "--recursive", *tree.iterdir(), point)
        finally:
            tool("umount", point)
