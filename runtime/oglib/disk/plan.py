# SPDX-License-Identifier: GPL-3.0-or-later
"""From a layout and a disk as found to the exact table to write; pure arithmetic.

Owns alignment (1 MiB), numbering, what stays and what goes. Touches no device. Everything new
begins at whole MiB; the last MiB stays free on msdos too, so that a later conversion to gpt
finds room for its backup table. A partition that is already exactly as wanted stays untouched,
which makes a second apply change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from oglib.disk import place, types
from oglib.disk.layout import Layout, Wanted
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.place import Bounds, Item
from oglib.errors import PartitionError
from oglib.progress import human_bytes

_GPT_ENTRIES_BYTES = 128 * 128
_MSDOS_SECTORS = 2**32 - 1  # start and length are 32-bit numbers
_FIRST_LOGICAL = 5


@dataclass(frozen=True, slots=True)
class Planned:
    """One partition of the table to write. ``fresh``: its old content is wiped."""

    number: int
    start_sector: int
    size_sectors: int
    type: str
    type_id: str
    name: str
    active: bool
    fresh: bool

    @property
    def end_sector(self) -> int:
        """The first sector behind the partition."""
        return self.start_sector + self.size_sectors


@dataclass(frozen=True, slots=True)
class TablePlan:
    """The whole table to write on ``path``, and what that changes, in words.

    ``before`` is what was found there (number, start, size in bytes): applying refuses a disk
    that is not so any more.
    """

    path: Path
    table: TableKind
    sector_bytes: int
    disk_size_bytes: int
    partitions: tuple[Planned, ...]
    removed: tuple[int, ...]
    new_table: bool
    before: tuple[tuple[int, int, int], ...]
    changes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def nothing_to_change(self) -> bool:
        return not self.changes


def plan_layout(layout: Layout, disk: Disk) -> TablePlan:
    """The table that puts ``layout`` on ``disk``; raises PartitionError when it does not fit."""
    bounds = bounds_of(disk, layout.table)
    items = _items(layout, disk)
    placed = place.place_all(items, bounds)
    active = _active_number(placed, layout.table)
    planned = tuple(
        sorted(
            (_planned(item, disk, layout.table, active) for item in placed),
            key=lambda part: part.number,
        )
    )
    _check(planned, disk, layout.table)
    old = {part.number: _stays(part, planned, disk) for part in disk.partitions}
    removed = tuple(sorted(number for number, stays in old.items() if stays is None))
    new_table = disk.table is not layout.table
    return TablePlan(
        path=disk.path,
        table=layout.table,
        sector_bytes=disk.logical_sector_bytes,
        disk_size_bytes=disk.size_bytes,
        partitions=planned,
        removed=removed,
        new_table=new_table,
        before=tuple((part.number, part.start_bytes, part.size_bytes) for part in disk.partitions),
        changes=_changes(planned, disk, layout.table),
        notes=_notes(placed, disk, layout.table),
    )


def bounds_of(disk: Disk, table: TableKind) -> Bounds:
    """Where new partitions may lie, in sectors."""
    sector = disk.logical_sector_bytes
    align = MIB // sector
    total = disk.size_bytes // sector
    end = total - _GPT_ENTRIES_BYTES // sector - 1
    if table is TableKind.MSDOS:
        end = min(end, _MSDOS_SECTORS)
    bounds = Bounds(start=align, end=end // align * align, align=align, sector_bytes=sector)
    if bounds.end <= bounds.start:
        raise PartitionError(
            f"{disk.describe()} is too small for a partition table: "
            f"{disk.size_bytes} bytes, at least {3 * MIB} are needed."
        )
    return bounds


def _items(layout: Layout, disk: Disk) -> tuple[Item, ...]:
    """The wanted partitions with their numbers and, for those that stay, where they are."""
    kept = _kept(layout.partitions, disk, first=1)
    numbers = _numbers(layout.partitions, kept)
    items = [
        Item(entry, kept=part, number=number, logical=_logical_items(entry.logical, disk))
        for entry, part, number in zip(layout.partitions, kept, numbers, strict=True)
    ]
    return tuple(items)


def _logical_items(entries: Sequence[Wanted], disk: Disk) -> tuple[Item, ...]:
    """Logical partitions are numbered by their place, whatever number they had."""
    kept = _kept(entries, disk, first=_FIRST_LOGICAL)
    return tuple(
        Item(entry, kept=part, number=number)
        for number, (entry, part) in enumerate(
            zip(entries, kept, strict=True), start=_FIRST_LOGICAL
        )
    )


def _kept(entries: Sequence[Wanted], disk: Disk, *, first: int) -> list[Partition | None]:
    found: list[Partition | None] = []
    for at, entry in enumerate(entries, start=first):
        part = None
        if entry.keep is not False:
            part = _existing(entry, at, disk)
        if part is None and entry.keep:
            there = ", ".join(f"{one.number} ({one.type})" for one in disk.partitions) or "none"
            raise PartitionError(
                f"Partition {entry.number or at} of {disk.describe()} shall be kept, "
                "but there is none.",
                hint=f"Its partitions: {there}.",
            )
        was_primary = part is not None and part.number < _FIRST_LOGICAL
        if part and disk.table is TableKind.MSDOS and was_primary is not (first == 1):
            raise PartitionError(
                f"Partition {part.number} of {disk.describe()} cannot be kept: a primary "
                "partition cannot become a logical one, nor the other way round."
            )
        if part and entry.type not in (types.UNKNOWN, part.type):
            raise PartitionError(
                f"Partition {part.number} of {disk.describe()} shall be kept as {entry.type}, "
                f"but it is {part.type}."
            )
        found.append(part)
    return found


def _existing(entry: Wanted, position: int, disk: Disk) -> Partition | None:
    if entry.number is None and entry.type == types.CACHE:
        caches = [part for part in disk.partitions if part.type == types.CACHE]
        if len(caches) > 1:
            numbers = ", ".join(str(part.number) for part in caches)
            raise PartitionError(
                f"{disk.describe()} has several cache partitions: {numbers}.",
                hint="Say which one stays by its 'number'.",
            )
        return caches[0] if caches else None
    number = entry.number or position
    there = [part for part in disk.partitions if part.number == number]
    if entry.keep is None and there and there[0].type != entry.type:
        return None
    return there[0] if there else None


def _numbers(entries: Sequence[Wanted], kept: Sequence[Partition | None]) -> list[int]:
    """Explicit numbers and those of kept partitions first; the others take the lowest free."""
    fixed = [
        part.number if part else entry.number for entry, part in zip(entries, kept, strict=True)
    ]
    taken = [number for number in fixed if number is not None]
    for number in taken:
        if taken.count(number) > 1:
            raise PartitionError(f"The layout gives number {number} to two partitions.")
    free = (number for number in range(1, 100_000) if number not in taken)
    return [next(free) if number is None else number for number in fixed]


def _planned(item: Item, disk: Disk, table: TableKind, active: int | None) -> Planned:
    old = item.kept or next((part for part in disk.partitions if _slot(part, item, disk)), None)
    kind = item.kept.type if item.kept else item.wanted.type
    same = old is not None and disk.table is table and old.type == kind
    type_id = old.type_id if same and old else _type_id(kind, item, table)
    name = item.wanted.name
    if name is None:
        name = old.name if old and (same or item.kept) else ""
        name = types.CACHE if kind == types.CACHE and table is TableKind.GPT else name
    planned = Planned(
        number=item.number,
        start_sector=item.start,
        size_sectors=item.size,
        type=kind,
        type_id=type_id,
        name=name if table is TableKind.GPT else "",
        active=item.number == active,
        fresh=item.kept is None,
    )
    if same and old and _same_place(planned, old, disk):
        return replace(planned, fresh=False)
    return planned


def _slot(part: Partition, item: Item, disk: Disk) -> bool:
    """Whether ``part`` is what is now where ``item`` comes: by number, logical ones by place."""
    if disk.table is TableKind.MSDOS and item.number >= _FIRST_LOGICAL:
        at_bytes = item.start * disk.logical_sector_bytes
        return part.number >= _FIRST_LOGICAL and part.start_bytes == at_bytes
    return part.number == item.number


def _type_id(kind: str, item: Item, table: TableKind) -> str:
    if kind == types.UNKNOWN:
        raise PartitionError(
            f"Partition {item.number} has a type without a name in a {table} table; "
            "it cannot be kept while the table is converted."
        )
    return types.raw_id(types.canonical(kind, table), table)


def _same_place(new: Planned, old: Partition, disk: Disk) -> bool:
    sector = disk.logical_sector_bytes
    return (
        new.start_sector * sector == old.start_bytes
        and new.size_sectors * sector == old.size_bytes
        and new.type == old.type
    )


def _active_number(items: Sequence[Item], table: TableKind) -> int | None:
    """Old BIOSes boot only a disk with an active partition, so one is chosen unless said."""
    if table is not TableKind.MSDOS:
        return None
    primary = [item for item in items if item.number < _FIRST_LOGICAL]
    said = [item.number for item in primary if item.wanted.active]
    stays = [item.number for item in primary if item.kept and item.kept.active]
    linux = [item.number for item in primary if item.type == "LINUX"]
    windows = [item.number for item in primary if item.type == "NTFS"]
    return next(iter([*said, *stays, *linux, *windows]), None)


def _check(planned: Sequence[Planned], disk: Disk, table: TableKind) -> None:
    """What placing guarantees for new partitions, checked for all, kept ones included."""
    sector = disk.logical_sector_bytes
    entries = _GPT_ENTRIES_BYTES // sector
    total = disk.size_bytes // sector
    low, high = (entries + 2, total - entries - 1) if table is TableKind.GPT else (1, total)
    if table is TableKind.MSDOS:
        high = min(high, 2 * _MSDOS_SECTORS)
    whole = sorted(
        (part for part in planned if table is TableKind.GPT or part.number < _FIRST_LOGICAL),
        key=lambda part: part.start_sector,
    )
    inner = sorted(
        (part for part in planned if part not in whole), key=lambda part: part.start_sector
    )
    for part in planned:
        if part.start_sector < low or part.end_sector > high:
            raise PartitionError(
                f"Partition {part.number} would lie from sector {part.start_sector} to "
                f"{part.end_sector}, but {disk.describe()} has room from {low} to {high}."
            )
    for row in (whole, inner):
        for one, two in pairwise(row):
            if one.end_sector > two.start_sector:
                raise PartitionError(
                    f"Partitions {one.number} and {two.number} would overlap: {one.number} ends "
                    f"at sector {one.end_sector}, {two.number} begins at {two.start_sector}."
                )


def _stays(part: Partition, planned: Sequence[Planned], disk: Disk) -> Planned | None:
    """The planned partition in which the content of ``part`` lives on."""
    return next(
        (new for new in planned if not new.fresh and _same_place(new, part, disk)),
        None,
    )


def _changes(planned: Sequence[Planned], disk: Disk, table: TableKind) -> tuple[str, ...]:
    sector = disk.logical_sector_bytes
    said = []
    if disk.table is not table:
        was = "there was none" if disk.table is TableKind.NONE else f"it was {disk.table}"
        said.append(f"write a new {table} table ({was})")
    living: dict[int, Partition] = {}
    for part in disk.partitions:
        new = _stays(part, planned, disk)
        if new is None:
            size = human_bytes(part.size_bytes)
            said.append(f"remove partition {part.number} ({part.type}, {size})")
        else:
            living[new.number] = part
    for new in planned:
        size = human_bytes(new.size_sectors * sector)
        old = living.get(new.number)
        if old is None:
            at = human_bytes(new.start_sector * sector)
            said.append(f"create partition {new.number}: {new.type}, {size} at {at}")
            continue
        if old.number != new.number:
            said.append(f"partition {old.number} becomes {new.number}")
        if disk.table is not table:
            said.append(f"keep the content of partition {new.number} ({new.type}, {size})")
            continue
        if new.name != old.name and table is TableKind.GPT:
            said.append(f"name partition {new.number} {new.name!r}")
        if new.active != old.active and table is TableKind.MSDOS:
            said.append(f"make partition {new.number} {'active' if new.active else 'not active'}")
    return tuple(said)


def _notes(items: Sequence[Item], disk: Disk, table: TableKind) -> tuple[str, ...]:
    said = []
    for item in items:
        asked = item.wanted.size.bytes if item.wanted.size else 0
        if item.kept and asked not in (0, item.kept.size_bytes):
            said.append(
                f"partition {item.number} ({item.kept.type}) keeps its "
                f"{human_bytes(item.kept.size_bytes)}, the layout says "
                f"{human_bytes(asked)}"
            )
    reach = _MSDOS_SECTORS * disk.logical_sector_bytes
    if table is TableKind.MSDOS and disk.size_bytes > reach + MIB:
        said.append(
            f"an msdos table reaches only the first {human_bytes(reach)} of "
            f"{human_bytes(disk.size_bytes)}; use gpt for all of it"
        )
    return tuple(said)
