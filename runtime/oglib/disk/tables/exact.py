# SPDX-License-Identifier: GPL-3.0-or-later
"""The sectors of a partition table as they are, to be put back byte for byte.

Boot loaders, firmware and other systems look at more of a table than its partitions: the flag of
a protective row, a hybrid's rows, attributes, CHS values, names that no tool can write. Owns
which sectors belong to a table, without the boot code, which is no part of it; pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from oglib.disk.model import TableKind
from oglib.disk.tables import gpt, mbr
from oglib.disk.tables.damage import examine_bytes

Stretch = tuple[int, bytes]  # byte of the disk, content


@dataclass(frozen=True, slots=True)
class Exact:
    """The table of a disk of ``size_bytes``, in which nothing wrong was found.

    ``stretches`` begin behind the boot code of sector 0. ``copy`` is the GPT in it, ``chain`` the
    sectors of an msdos table's logical partitions. ``drafted`` are the bytes at which stretches
    begin that an image lacks: they were made to go with the others, and prove nothing.
    """

    size_bytes: int
    sector_bytes: int
    stretches: tuple[Stretch, ...]
    copy: gpt.Copy | None
    chain: tuple[int, ...] = ()
    drafted: tuple[int, ...] = ()

    @property
    def first(self) -> bytes:
        """Sector 0 without boot code."""
        return self.read(0, self.sector_bytes)

    def read(self, offset: int, length: int) -> bytes:
        """As from a disk that holds nothing else."""
        found = bytearray(max(0, min(length, self.size_bytes - offset)))
        for at, raw in self.stretches:
            low, high = max(at, offset), min(at + len(raw), offset + len(found))
            if low < high:
                found[low - offset : high - offset] = raw[low - at : high - at]
        return bytes(found)

    @property
    def copies(self) -> gpt.Laid:
        """Both copies of the GPT, in the order in which one is written."""
        last = self.size_bytes // self.sector_bytes - 1
        return gpt.Laid(self._laid(1), self._laid(last))

    def _laid(self, at: int) -> tuple[tuple[int, bytes], ...]:
        copy = gpt.read_copy(self.read, at, self.size_bytes // self.sector_bytes, self.sector_bytes)
        if isinstance(copy, str):  # ``exact_of`` has read it
            raise ValueError(copy)
        room = _whole(len(copy.raw_entries), self.sector_bytes)
        size = self.sector_bytes
        entries = self.read(copy.entries_at * size, room)
        return ((copy.entries_at, entries), (at, self.read(at * size, size)))


def read_exact(read: mbr.Read, table: TableKind, size_bytes: int, sector_bytes: int) -> Exact:
    """The table that ``read`` gives, judged as any is; ValueError, in words, where it is not whole.

    What ``read`` gives is read twice: the sectors that are kept are those that were judged.
    """
    sector, last = sector_bytes, size_bytes // sector_bytes - 1
    places = [(mbr.CODE_BYTES, sector - mbr.CODE_BYTES)]
    if table is TableKind.GPT:
        for at in (1, last):
            copy = gpt.read_copy(read, at, last + 1, sector)
            if isinstance(copy, str):
                raise ValueError(f"the GPT at sector {at} {copy}")
            entries = (copy.entries_at * sector, _whole(len(copy.raw_entries), sector))
            places += [(at * sector, sector), entries]
    elif (extended := mbr.extended_of(read(0, mbr.MBR_BYTES))) is not None:
        places += [(at * sector, sector) for at, _ in mbr.chain(read, extended, sector).tables]
    stretches = tuple((offset, read(offset, length)) for offset, length in sorted(places))
    made = Exact(size_bytes, sector_bytes, stretches, None)
    found = examine_bytes(made.read, size_bytes, sector_bytes)
    if found.damage:
        raise ValueError(" ".join(found.damage))
    if not mbr.rows(made.first) or (found.copy is not None) != (table is TableKind.GPT):
        raise ValueError(f"there is no {table} table in it")
    chain: tuple[int, ...] = ()
    if table is TableKind.MSDOS and (extended := mbr.extended_of(made.first)) is not None:
        chain = tuple(at for at, _ in mbr.chain(made.read, extended, sector).tables)
    return replace(made, copy=found.copy, chain=chain)


def exact_of(
    stretches: Sequence[Stretch], table: TableKind, size_bytes: int, sector_bytes: int
) -> Exact:
    """The table in these stretches of a disk; ValueError where they hold none."""
    there = Exact(size_bytes, sector_bytes, tuple(stretches), None)
    return read_exact(there.read, table, size_bytes, sector_bytes)


def _whole(length: int, sector_bytes: int) -> int:
    return -(-length // sector_bytes) * sector_bytes
