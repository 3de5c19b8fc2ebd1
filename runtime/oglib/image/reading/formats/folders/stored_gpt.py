# SPDX-License-Identifier: GPL-3.0-or-later
"""A GPT that was kept in a file beside the images of its partitions.

Two forms are met: the first sectors of the disk as they were, and what ``sgdisk --backup`` writes,
which is the MBR, both headers and the entries, in pieces of 512 bytes whatever the disk's sectors
are. Either is a whole copy with its checksums, and tells how large the disk was.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from oglib import limits
from oglib.disk.tables.gpt import Copy, read_copy
from oglib.image.reading.formats.folders.table_dump import DumpRow, TableDump

_SECTOR, _LARGE_SECTOR = 512, 4096
FILE_BYTES = 2 << 20  # what a GPT of 8192 entries takes
_BACKUP_ENTRIES_AT = 3 * _SECTOR


@dataclass(frozen=True, slots=True)
class StoredGpt:
    """``copy`` as it was on the disk, whose sectors have ``sector_size`` bytes."""

    copy: Copy
    sector_size: int

    @property
    def disk_bytes(self) -> int:
        """The size of the disk: the second copy lies in its last sector."""
        return (max(self.copy.at, self.copy.other) + 1) * self.sector_size

    @property
    def table(self) -> TableDump:
        """The same as a dump of sfdisk has it."""
        rows = tuple(
            DumpRow(
                entry.number, entry.first, entry.last - entry.first + 1, self._type(entry.number)
            )
            for entry in self.copy.entries
        )
        return TableDump("gpt", self.sector_size, rows, self.copy.guid)

    def _type(self, number: int) -> str:
        at = (number - 1) * self.copy.entry_bytes
        return str(UUID(bytes_le=self.copy.raw_entries[at : at + 16]))


def gpt_of_first_sectors(raw: bytes) -> StoredGpt | None:
    """The GPT in the first sectors of a disk; None where there is no sound one."""
    for sector in (_SECTOR, _LARGE_SECTOR):
        copy = read_copy(lambda at, length: raw[at : at + length], 1, limits.SECTORS, sector)
        if isinstance(copy, Copy):
            return _sound(copy, sector)
    return None


def gpt_of_sgdisk(raw: bytes) -> StoredGpt | None:
    """The GPT in a file of ``sgdisk --backup``; None where there is no sound one."""

    def read(at: int, length: int) -> bytes:
        start = _SECTOR if (at, length) == (_SECTOR, _SECTOR) else _BACKUP_ENTRIES_AT
        return raw[start : start + length]

    copy = read_copy(read, 1, limits.SECTORS, _SECTOR)
    if not isinstance(copy, Copy):
        return None
    # Its numbers are the disk's sectors, of which nothing in the file tells the size but this.
    room = copy.first_usable - copy.entries_at
    small = room * _SECTOR >= len(copy.raw_entries)
    return _sound(copy, _SECTOR if small else _LARGE_SECTOR)


def _sound(copy: Copy, sector_size: int) -> StoredGpt | None:
    """None where its checksums hold and its numbers do not."""
    last = copy.other
    sound = 1 < last < limits.SECTORS and all(
        1 < entry.first <= entry.last < last for entry in copy.entries
    )
    return StoredGpt(copy, sector_size) if sound else None
