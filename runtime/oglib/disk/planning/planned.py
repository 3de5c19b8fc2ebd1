# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is: the whole table to write, and what must hold for any such table.

Owns the values and their soundness (inside the disk, no overlap); decides nothing. Whoever
plans, a layout or a single edit, ends here, and ``table.apply_table`` writes nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from oglib.disk.model import MIB, PRIMARY_SLOTS, Disk, DiskKind, Partition, TableKind
from oglib.disk.planning.place import Bounds
from oglib.disk.tables.damage import UNFINISHED
from oglib.disk.tables.exact import Exact
from oglib.disk.tables.gpt import ENTRIES_BYTES, Marks
from oglib.errors import PartitionError
from oglib.wording.amounts import human_bytes

MSDOS_SECTORS = 2**32 - 1  # start and length are 32-bit numbers
FIRST_LOGICAL = PRIMARY_SLOTS + 1
FINISH = "finish the table whose writing was interrupted"
_NO_TABLES_OF_OURS = (TableKind.LVM, TableKind.ZPOOL, DiskKind.LVM, DiskKind.ZPOOL)


@dataclass(frozen=True, slots=True)
class PlannedPartition:
    """One partition of the table to write.

    ``fresh``: its old content is wiped. ``kept``: the layout says that its content stays, whatever
    is made of the others.
    """

    number: int
    start_sector: int
    size_sectors: int
    type: str
    type_id: str
    name: str
    active: bool
    fresh: bool
    kept: bool = False

    @property
    def end_sector(self) -> int:
        """The first sector behind the partition."""
        return self.start_sector + self.size_sectors


@dataclass(frozen=True, slots=True)
class Identity:
    """What the disk of an image was known by, to be taken over: boot loaders look for it.

    ``disk_id`` is the GUID of a gpt or the eight hex digits of an msdos table, which the PARTUUIDs
    of that are made from; ``marks`` are those of a gpt's partitions by number.
    """

    disk_id: str
    marks: Mapping[int, Marks]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """The whole table to write on ``path``, and what that changes, in words.

    ``before`` is what was found there: applying refuses a disk that is not so any more.
    ``damage`` is what was wrong with the table that this one replaces. Without an ``identity``
    what is there keeps its own, and what is new gets a new one; with one the disk's boot code comes
    from an image too, so none is written with the table. ``like`` is the table of the image's own
    disk: names and what else tools cannot write are taken from it, and with ``exactly`` all of
    it, byte for byte.
    """

    path: Path
    table: TableKind
    sector_bytes: int
    disk_size_bytes: int
    partitions: tuple[PlannedPartition, ...]
    removed: tuple[int, ...]
    new_table: bool
    before: tuple[Partition, ...]
    changes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    identity: Identity | None = None
    like: Exact | None = None
    exactly: bool = False

    @property
    def nothing_to_change(self) -> bool:
        return not self.changes

    def as_dict(self) -> dict[str, object]:
        """The plan to be shown, in bytes: the partitions before and after, and each change."""
        sector = self.sector_bytes
        return {
            "path": str(self.path),
            "table": str(self.table),
            "new_table": self.new_table,
            "before": [
                {
                    "number": part.number,
                    "start_bytes": part.start_bytes,
                    "size_bytes": part.size_bytes,
                    "type": part.type,
                    "removed": part.number in self.removed,
                }
                for part in self.before
            ],
            "after": [
                {
                    "number": part.number,
                    "start_bytes": part.start_sector * sector,
                    "size_bytes": part.size_sectors * sector,
                    "type": part.type,
                    "name": part.name,
                    "active": part.active,
                    "kept": not part.fresh,
                }
                for part in self.partitions
            ],
            "damage": list(self.damage),
            "changes": list(self.changes),
            "notes": list(self.notes),
        }


def removal(part: Partition) -> str:
    """The words for a partition that goes."""
    return f"remove partition {part.number} ({part.type}, {human_bytes(part.size_bytes)})"


def lost_whole(disk: Disk) -> tuple[str, ...]:
    """The words for a filesystem, or what else lies on the bare disk, that a new table ends."""
    if disk.table is not TableKind.NONE or not disk.filesystem:
        return ()
    label = f" {disk.label!r}" if disk.label else ""
    return (f"lose the {disk.filesystem}{label} that fills the whole disk",)


def refuse_foreign(disk: Disk) -> None:
    """Volume groups and pools look like disks to OpenGnsys, but have no table of ours."""
    if disk.table in _NO_TABLES_OF_OURS or disk.kind in _NO_TABLES_OF_OURS:
        raise PartitionError(
            f"{disk.describe()} is a volume group or pool, which is not partitioned here.",
            hint="Use the tools of LVM or ZFS.",
        )


def is_unfinished(disk: Disk) -> bool:
    """Whether the one thing wrong with the table is that our own writing of it was cut."""
    return disk.damage == (UNFINISHED,)


def refuse_damaged(disk: Disk) -> None:
    """A damaged table is not edited: what a tool makes of it is not what was planned."""
    if disk.damage and not is_unfinished(disk):
        raise PartitionError(
            f"The partition table of {disk.describe()} is damaged, so it is not edited: "
            f"{' '.join(disk.damage)}",
            hint="A GPT with one good copy is repaired by 'og disk repair'; "
            "'og disk apply --replace-damaged' writes a new table and keeps nothing.",
        )


def bounds_of(disk: Disk, table: TableKind) -> Bounds:
    """Where new partitions may lie, in sectors."""
    sector = disk.logical_sector_bytes
    align = MIB // sector
    total = disk.size_bytes // sector
    end = total - _entries_sectors(disk, table) - 1
    if table is TableKind.MSDOS:
        end = min(end, MSDOS_SECTORS)
    bounds = Bounds(start=align, end=end // align * align, align=align, sector_bytes=sector)
    if bounds.end <= bounds.start:
        raise PartitionError(
            f"{disk.describe()} is too small for a partition table: "
            f"{disk.size_bytes} bytes, at least {3 * MIB} are needed."
        )
    return bounds


def _entries_sectors(disk: Disk, table: TableKind) -> int:
    """What the entries of a GPT take at either end; as much stays free behind an msdos table."""
    large = disk.entries_bytes if table is TableKind.GPT else 0
    return -(-max(ENTRIES_BYTES, large) // disk.logical_sector_bytes)


def refuse_lost_hybrid(planned: Sequence[PlannedPartition], disk: Disk) -> None:
    """A hybrid MBR names partitions a second time; it is kept while those stay, never guessed."""
    sector = disk.logical_sector_bytes
    stay = {
        (part.start_sector * sector, part.size_sectors * sector)
        for part in planned
        if not part.fresh
    }
    lost = [place for place in disk.hybrid if place not in stay]
    if lost:
        named = {(part.start_bytes, part.size_bytes): part.number for part in disk.partitions}
        which = ", ".join(
            f"partition {named[place]}" if place in named else f"one at byte {place[0]}"
            for place in lost
        )
        raise PartitionError(
            f"{disk.describe()} has a hybrid MBR, which names {which} beside the GPT: that would "
            "not stay as it is there.",
            hint="Keep it, or let '--replace-damaged' write a new table that keeps nothing.",
        )


def check_sound(planned: Sequence[PlannedPartition], disk: Disk, table: TableKind) -> None:
    """Refuse, with both numbers, what would lie off the disk or over another partition."""
    sector = disk.logical_sector_bytes
    entries = _entries_sectors(disk, table)
    total = disk.size_bytes // sector
    low, high = (entries + 2, total - entries - 1) if table is TableKind.GPT else (1, total)
    if table is TableKind.MSDOS:
        high = min(high, 2 * MSDOS_SECTORS)
    inner = [part for part in planned if table is TableKind.MSDOS and part.number >= FIRST_LOGICAL]
    whole = [part for part in planned if part not in inner]
    for part in planned:
        if part.start_sector < low or part.end_sector > high:
            raise PartitionError(
                f"Partition {part.number} would lie from sector {part.start_sector} to "
                f"{part.end_sector}, but {disk.describe()} has room from {low} to {high}."
            )
        if table is TableKind.MSDOS and max(part.start_sector, part.size_sectors) > MSDOS_SECTORS:
            raise PartitionError(
                f"Partition {part.number} begins at sector {part.start_sector} of "
                f"{disk.describe()} and has {part.size_sectors}: an msdos table has no number "
                f"above {MSDOS_SECTORS} for either.",
                hint="Use a gpt table, or do not keep that partition.",
            )
    for row in (whole, inner):
        for one, two in pairwise(sorted(row, key=lambda part: part.start_sector)):
            if one.end_sector > two.start_sector:
                raise PartitionError(
                    f"Partitions {one.number} and {two.number} would overlap: {one.number} ends "
                    f"at sector {one.end_sector}, {two.number} begins at {two.start_sector}."
                )
