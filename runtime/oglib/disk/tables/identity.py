# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk and its partitions are known by, read from the table's own bytes; never writes."""

from __future__ import annotations

import os

from oglib.disk.model import Disk, TableKind
from oglib.disk.planning.planned import Identity
from oglib.disk.tables import gpt
from oglib.errors import PartitionError

_MBR_ID_AT = slice(440, 444)


def identity_of(disk: Disk) -> Identity:
    """The disk's id, and of a gpt PARTUUIDs and attributes; PartitionError for another table."""
    sector = disk.logical_sector_bytes
    device = os.open(disk.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        first = os.pread(device, sector, 0)
        if disk.table is TableKind.MSDOS:
            return Identity(f"{int.from_bytes(first[_MBR_ID_AT], 'little'):08x}", {})
        copy = gpt.read_copy(
            lambda offset, length: os.pread(device, length, offset),
            1,
            disk.size_bytes // sector,
            sector,
        )
    finally:
        os.close(device)
    if isinstance(copy, str):
        raise PartitionError(f"The GPT of {disk.describe()} {copy}.")
    return Identity(copy.guid, copy.marks)
