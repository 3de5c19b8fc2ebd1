# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a filesystem is: by its own header, and as a mounted one says what is used.

Never writes. A filesystem may be smaller than its partition, never larger.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import FilesystemError
from oglib.filesystem.kinds import kind_of
from oglib.filesystem.mount import mounted
from oglib.filesystem.mounts import mountpoints_of
from oglib.filesystem.probe import FilesystemInfo, probe_filesystem

_HEADER_BYTES = 66 * 1024  # the farthest is that of btrfs, at 64 KiB


@dataclass(frozen=True, slots=True)
class Usage:
    """As df tells it, in bytes: what files may use, what they use, what is free for root."""

    size_bytes: int
    used_bytes: int
    free_bytes: int


def usage_of(device: Path, info: FilesystemInfo | None = None) -> Usage:
    """Size, used and free; mounts read-only for a moment unless it is mounted."""
    points = mountpoints_of(device)
    if points:
        return _statvfs(points[0])
    found = info or probe_filesystem(device)
    mount_type = kind_of(found.name).mount_type if found.kind else ""
    if not mount_type:
        raise FilesystemError(f"There is no filesystem on {device} that can be mounted.")
    with mounted(device, kind=mount_type) as point:
        return _statvfs(point)


def device_bytes(device: Path) -> int:
    """The size of the block device or file itself."""
    with device.open("rb") as file:
        return file.seek(0, os.SEEK_END)


def filesystem_bytes(device: Path, info: FilesystemInfo) -> int:
    """The size the filesystem's own header gives; 0 where we do not read its header."""
    with device.open("rb") as file:
        return size_in(info.name, file.read(_HEADER_BYTES))


def size_of(device: Path) -> int:
    """As ``filesystem_bytes``, of whatever is on ``device``."""
    return filesystem_bytes(device, probe_filesystem(device))


def size_in(name: str, head: bytes) -> int:
    """As ``filesystem_bytes``, of the first 66 KiB; 0 for what is cut off."""
    try:
        return _size_in(name, head)
    except struct.error:
        return 0


def _size_in(name: str, head: bytes) -> int:
    match name:
        case "ext2" | "ext3" | "ext4":
            blocks, shift = struct.unpack_from("<I16xI", head, 1024 + 4)
            high = struct.unpack_from("<I", head, 1024 + 336)[0]
            wide = struct.unpack_from("<I", head, 1024 + 96)[0] & 0x80  # feature 64bit
            return _shifted(blocks | (high << 32 if wide else 0), 10 + shift)
        case "xfs":
            block, blocks = struct.unpack_from(">IQ", head, 4)
            return int(block * blocks)
        case "btrfs":
            # of this device: the total of all devices stands before it
            return int(struct.unpack_from("<Q", head, 65536 + 0xC9 + 8)[0])
        case "ntfs":
            sector, sectors = struct.unpack_from("<H27xQ", head, 11)
            return int(sector * (sectors + 1))  # the backup boot sector stands behind
        case "fat12" | "fat16" | "fat32":
            sector, few = struct.unpack_from("<H6xH", head, 11)
            many = struct.unpack_from("<I", head, 32)[0]
            return int(sector * (few or many))
        case "exfat":
            sectors, shift = struct.unpack_from("<Q28xB", head, 72)
            return _shifted(sectors, shift)
        case "f2fs":
            shift, blocks = struct.unpack_from("<I16xQ", head, 1024 + 16)
            return _shifted(blocks, shift)
        case "reiserfs":
            blocks, block = struct.unpack_from("<I40xH", head, 65536)
            return int(blocks * block)
    return 0


def _shifted(count: int, shift: int) -> int:
    return count << shift if shift <= 64 else 0


def _statvfs(point: Path) -> Usage:
    info = os.statvfs(point)
    return Usage(
        size_bytes=info.f_blocks * info.f_frsize,
        used_bytes=(info.f_blocks - info.f_bfree) * info.f_frsize,
        free_bytes=info.f_bfree * info.f_frsize,
    )
