# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the first sector of a disk is a partition table or the boot sector of a filesystem.

Both end with 55 AA, so that tools take the one for the other: an exFAT or FAT without a table (a
stick, a camera's card) looks like an msdos table without partitions, and is gone when somebody
writes one. Owns that judgement; pure.
"""

from __future__ import annotations

from oglib.disk.tables import mbr
from oglib.filesystem.kinds import kind_of_boot_sector


def filesystem_of(first_sector: bytes, sectors: int = 0) -> str:
    """partclone's word for the filesystem that begins here; "" where it is a table, or neither.

    Tools that make bootable sticks leave the header of a filesystem in front of a real table, so
    the rows decide: code or a message hardly looks like partitions. ``sectors``: of the disk,
    0 = not known.
    """
    word = header_of(first_sector)
    used = [row for row in mbr.rows(first_sector) if row.used]
    possible = all(row.start and (not sectors or row.start < sectors) for row in used)
    return "" if possible and has_partitions(first_sector) else word


def header_of(first_sector: bytes) -> str:
    """The word for the filesystem whose header this is, whatever stands where rows would be."""
    kind = kind_of_boot_sector(first_sector)
    return kind.image_word if kind else ""


def has_partitions(first_sector: bytes) -> bool:
    """Whether the rows of an MBR are there, at least one in use, and none of them impossible."""
    rows = mbr.rows(first_sector)
    return any(row.used for row in rows) and all(row.boot in (0, 0x80) for row in rows)
