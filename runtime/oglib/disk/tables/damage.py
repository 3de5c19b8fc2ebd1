# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a partition table, from its bytes; reads only, and trusts nothing it reads.

Owns the findings, a sentence each with its numbers; a sound table has none, and nor has a disk
without a table. Tools that edit tables repair some of this silently, each in another way, so
it is looked for before they are let near. A damaged table is not edited: either both copies of
a GPT are written anew from the good one (``og disk repair``), or the whole table is replaced
(``og disk apply --replace-damaged``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from oglib.disk.tables import gpt, mbr
from oglib.disk.tables.boot_sector import filesystem_of
from oglib.errors import PartitionError
from oglib.rights import lacks_root

# Not damage by others: what our own writing leaves when it is cut. Applying again ends it.
UNFINISHED = (
    "The writing of this partition table was interrupted; applying the same layout again ends it."
)
_MOST_SAID = 8
_OTHER_SECTOR = {512: 4096, 4096: 512}


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. ``good``: the copy of a GPT from which both can be written anew.

    ``copy``: the GPT as it is read, the primary copy if that is whole. ``hybrid``: the rows of a
    hybrid MBR beside the protective one; that is unusual, and no damage.
    """

    damage: tuple[str, ...]
    good: gpt.Copy | None = None
    copy: gpt.Copy | None = None
    hybrid: tuple[mbr.Row, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A partition of an MBR or of its chain, in sectors of the disk."""

    name: str
    kind: int
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def examine(path: Path, size_bytes: int, sector_bytes: int) -> Examined:
    """The damage of the table of ``path`` and what it can be repaired from."""
    try:
        device = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if isinstance(error, PermissionError) and lacks_root():
            raise PartitionError(f"{path} cannot be read: {error.strerror}.") from error
        return Examined((f"The partition table cannot be read: {error.strerror}.",))
    try:
        return examine_bytes(
            lambda offset, length: os.pread(device, length, offset), size_bytes, sector_bytes
        )
    except OSError as error:
        return Examined((f"The partition table cannot be read: {error.strerror}.",))
    finally:
        os.close(device)


def examine_bytes(read: mbr.Read, size_bytes: int, sector_bytes: int) -> Examined:
    """The same for anything that can be read by offset and length."""
    sectors = size_bytes // sector_bytes
    if sectors < 3:
        return Examined(())
    first = read(0, mbr.MBR_BYTES)
    rows = () if filesystem_of(first, sectors) else mbr.rows(first)
    used = [row for row in rows if row.used]
    protected = any(row.kind == mbr.PROTECTIVE for row in used)
    if mbr.is_marked(first):
        found = _gpt(read, used, sectors, sector_bytes) if protected else Examined(())
        return replace(found, damage=(UNFINISHED,))
    signed = read(sector_bytes, 8) == gpt.SIGNATURE
    backed = not used and read((sectors - 1) * sector_bytes, 8) == gpt.SIGNATURE
    if protected or signed or backed:
        found = _gpt(read, used, sectors, sector_bytes)
        return replace(
            found,
            damage=_few(found.damage),
            good=found.good if found.damage else None,
            hybrid=mbr.hybrid_rows(first),
        )
    return Examined(_few(_msdos(read, rows, sectors, sector_bytes)))


def _gpt(read: mbr.Read, rows: Sequence[mbr.Row], sectors: int, sector_bytes: int) -> Examined:
    said = []
    primary = gpt.read_copy(read, 1, sectors, sector_bytes)
    backup = gpt.read_copy(read, sectors - 1, sectors, sector_bytes)
    if isinstance(primary, str):
        said.append(f"The primary GPT (sector 1) {primary}.")
        other = _OTHER_SECTOR.get(sector_bytes, sector_bytes)
        if other != sector_bytes and read(other, 8) == gpt.SIGNATURE:
            said.append(
                f"The GPT was written for sectors of {other} bytes, this disk has {sector_bytes}."
            )
    if isinstance(backup, str):
        said += _misplaced(read, primary, backup, sectors, sector_bytes)
    if isinstance(primary, gpt.Copy) and isinstance(backup, gpt.Copy):
        said += _disagreement(primary, backup)
    if not any(row.kind == mbr.PROTECTIVE for row in rows):
        said.append("The protective MBR in front of the GPT is missing.")
    good = next((one for one in (primary, backup) if isinstance(one, gpt.Copy)), None)
    if good is None:
        return Examined(tuple(said))
    wrong = _entries(good, sectors)
    return Examined(tuple(said) + wrong, None if wrong else good, good)


def _misplaced(
    read: mbr.Read, primary: gpt.Copy | str, why: str, sectors: int, sector_bytes: int
) -> list[str]:
    """Why there is no whole backup at the disk's end: an image of a disk of another size?"""
    last = sectors - 1
    if isinstance(primary, str) or primary.other == last:
        return [f"The backup GPT (sector {last}) {why}."]
    if primary.other > last:
        return [
            f"The backup GPT should be at sector {primary.other}, but this disk ends at sector "
            f"{last}: the table comes from a larger disk."
        ]
    there = gpt.read_copy(read, primary.other, sectors, sector_bytes)
    if isinstance(there, str):
        return [f"The backup GPT (sector {primary.other}) {there}."]
    return [
        f"The backup GPT lies at sector {primary.other}, but this disk ends at sector {last}: "
        "the table comes from a smaller disk.",
        *_disagreement(primary, there),
    ]


def _disagreement(primary: gpt.Copy, backup: gpt.Copy) -> list[str]:
    said = []
    if primary.disk_guid != backup.disk_guid:
        said.append(
            f"The copies of the GPT disagree: disk GUID {primary.guid} and {backup.guid} (backup)."
        )
    if primary.raw_entries != backup.raw_entries:
        ours = {entry.number: entry for entry in primary.entries}
        theirs = {entry.number: entry for entry in backup.entries}
        moved = sorted(n for n in {*ours, *theirs} if ours.get(n) != theirs.get(n))
        which = f"partitions {', '.join(map(str, moved[:_MOST_SAID]))}" if moved else "types, names"
        said.append(f"The copies of the GPT disagree about their entries ({which}).")
    return said


def _entries(copy: gpt.Copy, sectors: int) -> tuple[str, ...]:
    last_usable = min(copy.last_usable, sectors - 2)
    said = [
        f"Partition {entry.number} lies from sector {entry.first} to {entry.last}, but the usable "
        f"sectors are {copy.first_usable} to {last_usable}."
        for entry in copy.entries
        if not copy.first_usable <= entry.first <= entry.last <= last_usable
    ]
    rows = [
        _Part(str(entry.number), 0, entry.first, entry.last - entry.first + 1)
        for entry in copy.entries
    ]
    return tuple(said) + _overlaps(rows)


def _msdos(
    read: mbr.Read, rows: Sequence[mbr.Row], sectors: int, sector_bytes: int
) -> tuple[str, ...]:
    primary = [
        _Part(str(number), row.kind, row.start, row.length)
        for number, row in enumerate(rows, start=1)
        if row.used
    ]
    said = [*_off_disk(primary, 1, sectors), *_overlaps(primary)]
    extended = [row for row in primary if row.kind in mbr.EXTENDED]
    if len(extended) > 1:
        said.append(f"The MBR has {len(extended)} extended partitions; one is possible.")
    for row in extended:
        if row.end <= sectors:
            said += _chain(read, row, sector_bytes)
    return tuple(said)


def _chain(read: mbr.Read, extended: _Part, sector_bytes: int) -> list[str]:
    """What is wrong inside an extended partition: its chain of tables, its logical partitions."""
    row = mbr.Row(0, extended.kind, extended.start, extended.length)
    found = mbr.chain(read, row, sector_bytes)
    logical: list[_Part] = []
    for at, rows in found.tables:
        own = [row for row in rows if row.used and row.kind not in mbr.EXTENDED]
        logical += [
            _Part(str(5 + len(logical)), row.kind, at + row.start, row.length) for row in own[:1]
        ]
    said = [found.broken] if found.broken else []
    return [*said, *_off_disk(logical, extended.start + 1, extended.end), *_overlaps(logical)]


def _off_disk(rows: Iterable[_Part], low: int, high: int) -> list[str]:
    return [
        f"Partition {row.name} lies from sector {row.start} to {row.end}, but there is room from "
        f"{low} to {high}."
        for row in rows
        if row.start < low or row.end > high
    ]


def _overlaps(rows: Iterable[_Part]) -> tuple[str, ...]:
    ordered = sorted(rows, key=lambda row: row.start)
    return tuple(
        f"Partitions {one.name} and {two.name} overlap: {one.name} ends at sector {one.end}, "
        f"{two.name} begins at sector {two.start}."
        for one, two in pairwise(ordered)
        if one.end > two.start
    )


def _few(said: Sequence[str]) -> tuple[str, ...]:
    """A hostile table could say thousands of things."""
    more = len(said) - _MOST_SAID
    return (*said[:_MOST_SAID], f"And {more} more.") if more > 0 else tuple(said)
