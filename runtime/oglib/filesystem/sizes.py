# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a filesystem is: by its own header, and as a mounted one says what is used.

Never writes. A filesystem may be smaller than its partition, never larger.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import FilesystemError
from oglib.filesystem.kinds import HEAD_BYTES, KINDS, kind_of
from oglib.filesystem.mount import mounted
from oglib.filesystem.mounts import mountpoints_of
from oglib.filesystem.probe import FilesystemInfo, probe_filesystem
from oglib.filesystem.structures.superblock import said_bytes, spare_bytes


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
        return size_in(info.name, file.read(HEAD_BYTES))


def size_of(device: Path) -> int:
    """As ``filesystem_bytes``, of whatever is on ``device``."""
    return filesystem_bytes(device, probe_filesystem(device))


def size_in(name: str, head: bytes) -> int:
    """As ``filesystem_bytes``, of its first ``HEAD_BYTES``; 0 for what is cut off."""
    kind = KINDS.get(name)
    size = said_bytes(kind, head) if kind else 0
    return size + spare_bytes(kind, head) if kind and size else 0


def _statvfs(point: Path) -> Usage:
    info = os.statvfs(point)
    return Usage(
        size_bytes=info.f_blocks * info.f_frsize,
        used_bytes=(info.f_blocks - info.f_bfree) * info.f_frsize,
        free_bytes=info.f_bfree * info.f_frsize,
    )
