# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices to make filesystems on, the judges of those, and what this machine cannot do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oglib.disk.loop import attached
from oglib.filesystem.kinds import KINDS

MIB = 1024**2

# Each kind's own checker, looking only.
CHECKERS = {
    "ext2": ("e2fsck", "-f", "-n"),
    "ext3": ("e2fsck", "-f", "-n"),
    "ext4": ("e2fsck", "-f", "-n"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "fat12": ("fsck.vfat", "-n"),
    "fat16": ("fsck.vfat", "-n"),
    "fat32": ("fsck.vfat", "-n"),
    "ntfs": ("ntfsfix", "--no-action"),
    "exfat": ("fsck.exfat", "-n"),
    "f2fs": ("fsck.f2fs", "--dry-run"),
    "jfs": ("jfs_fsck", "-f", "-n"),
    "reiserfs": ("reiserfsck", "--check", "-y", "-q"),
}


def need_tools(kind: str) -> None:
    tool = KINDS[kind].make[0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed here")


def need_driver(kind: str) -> None:
    name = KINDS[kind].mount_type
    if name == "ntfs-3g":
        return  # in user space
    known = Path("/proc/filesystems").read_text().split()
    if name in known or subprocess.run(["modprobe", "-q", name], check=False).returncode == 0:
        return
    pytest.skip(f"this kernel has no {name}")


@contextmanager
def device_of(tmp_path: Path, size_bytes: int, sector: int = 512) -> Iterator[Path]:
    """A loop device of that size over one file, which grows when more is asked for later."""
    image = tmp_path / "fs.img"
    image.touch()
    os.truncate(image, max(size_bytes, image.stat().st_size))
    with attached(image, size_bytes=size_bytes, sector_bytes=sector) as device:
        yield device


def judge(kind: str, device: Path) -> None:
    done = subprocess.run([*CHECKERS[kind], device], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def mount_options(point: Path) -> list[str]:
    done = subprocess.run(
        ["findmnt", "--noheadings", "--output", "OPTIONS", "--mountpoint", point],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().split(",")
