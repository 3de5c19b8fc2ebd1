# SPDX-License-Identifier: GPL-3.0-or-later
"""What raw content is, told by its first bytes: a disk with a table, a filesystem, or neither.

Judges bytes that may be hostile; opens nothing. The words for filesystems are those of
partclone's headers, so that an image says the same whoever made it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from oglib.disk.tables.boot_sector import filesystem_of, has_partitions
from oglib.filesystem.kind import Family
from oglib.filesystem.kinds import kind_marked, kind_of_boot_sector

_GPT = b"EFI PART"
BOOT_SECTOR_BYTES = 512  # as much of it as names a sector size, whatever that is
_SECTOR_SIZES = (512, 1024, 2048, 4096)
# Weaker than the marks of their kinds: what stands behind is free text, and varies.
_WITH_SIZE = ((3, b"NTFS"), (54, b"FAT"), (82, b"FAT"))


@dataclass(frozen=True, slots=True)
class Content:
    """``table``: gpt, dos or "". ``filesystem``: partclone's word or "". Both empty: unknown."""

    table: str = ""
    filesystem: str = ""
    sector_size: int = 0


def content_of(head: bytes) -> Content:
    """What begins with ``head`` (64 KiB and a little, less when there is no more)."""
    for sector in (512, 4096):
        if head[sector : sector + len(_GPT)] == _GPT and head[510:512] == b"\x55\xaa":
            return Content("gpt", "", sector)
    if filesystem := filesystem_of(head):
        return Content("", filesystem, sector_bytes_of(head))
    if has_partitions(head):
        return Content("dos")
    kind = kind_marked(head)
    return Content("", kind.image_word if kind else "")


def sector_bytes_of(boot_sector: bytes) -> int:
    """The sector size that a FAT, NTFS or exFAT boot sector names; 0 for anything else."""
    if boot_sector[510:512] != b"\x55\xaa":
        return 0
    size = 0
    kind = kind_of_boot_sector(boot_sector)
    if kind is not None and kind.family is Family.EXFAT:
        size = 1 << min(boot_sector[108], 16)
    elif any(boot_sector.startswith(word, at) for at, word in _WITH_SIZE):
        (size,) = struct.unpack_from("<H", boot_sector, 11)
    return size if size in _SECTOR_SIZES else 0
