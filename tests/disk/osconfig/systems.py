# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks in files that hold a small Debian, laid out as distributions do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from disk.inventory.room import MIB, tool
from oglib.disk.loop import attached
from unit.inventory.trees import DEBIAN, make_tree

ROOT_UUID = "11111111-1111-4111-8111-111111111111"
BOOT_UUID = "22222222-2222-4222-8222-222222222222"
NAME = "Debian GNU/Linux 13 (trixie)"
FSTAB = f"UUID={ROOT_UUID} / auto defaults 0 1\n"
GRUB_CONFIG = f"search --fs-uuid --set=root {ROOT_UUID}\nlinux /vmlinuz root=UUID={ROOT_UUID} ro\n"


def make_debian(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """A tree with what is needed to be found, listed and configured."""
    more = {
        "etc/hostname": "model\n",
        "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tmodel\n",
        "etc/fstab": FSTAB,
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "boot/grub/grub.cfg": GRUB_CONFIG,
        **(files or {}),
    }
    return make_tree(folder, {**DEBIAN, **more})


def make_disk(path: Path, sizes_mib: Sequence[int]) -> Path:
    """A file with an msdos table and partitions of these sizes, one behind the other."""
    with path.open("wb") as file:
        file.truncate((sum(sizes_mib) + 2) * MIB)
    lines = "".join(f"size={size}M, type=83\n" for size in sizes_mib)
    tool(
        "sfdisk",
        "--quiet",
        "--no-tell-kernel",
        path,
        stdin=f"label: dos\nlabel-id: 0xcafe0001\n{lines}",
    )
    return path


@contextmanager
def device_of(disk: Path, sizes_mib: Sequence[int], number: int) -> Iterator[Path]:
    """A partition of ``make_disk`` as a device."""
    start = 1 + sum(sizes_mib[: number - 1])
    with attached(disk, offset_bytes=start * MIB, size_bytes=sizes_mib[number - 1] * MIB) as device:
        yield device


@contextmanager
def seen_at(device: Path, point: Path, options: str = "") -> Iterator[Path]:
    """Mounted by hand, to make content or to look whether what was written is there."""
    point.mkdir(exist_ok=True)
    tool("mount", *(("-o", options) if options else ()), device, point)
    try:
        yield point
    finally:
        tool("umount", point)
