# SPDX-License-Identifier: GPL-3.0-or-later
"""Which partitions of a disk stay under a layout, and the numbers of all.

Pure. Owns what "keep" means: by number or PARTUUID where the layout says so, and the CACHE
always, named or not, until the layout says ``{"type": "CACHE", "keep": false}``: its images took
hours to bring here. Knows no place but that of what stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from oglib.disk import types
from oglib.disk.model import PRIMARY_SLOTS, Disk, Partition, TableKind
from oglib.disk.planning.layout import Layout, LayoutPartition
from oglib.disk.planning.place import Item
from oglib.disk.planning.planned import FIRST_LOGICAL
from oglib.errors import PartitionError

_Pair = tuple[LayoutPartition, Partition | None]


def items_of(layout: Layout, disk: Disk) -> tuple[Item, ...]:
    """The wanted partitions with their numbers and, for those that stay, where they are."""
    pairs = _matched(layout.partitions, layout.table, disk, first=1)
    extended = next((pair for pair in pairs if _is_extended(pair)), None)
    listed = extended[0].logical if extended else ()
    inside = _matched(listed, layout.table, disk, first=FIRST_LOGICAL)
    for cache in _unnamed_caches(disk, [*pairs, *inside]):
        stays = LayoutPartition(types.CACHE, keep=None, number=cache.number)
        row = pairs
        if layout.table is TableKind.MSDOS and _is_logical(cache, disk):
            _check_stays_around(cache, extended, disk)
            row = inside
        _add_by_place(row, (stays, cache))
    numbers = _numbers(pairs, layout.table, disk)
    logical = _logical(inside, layout.table, disk)
    items = (
        _item(pair, number, layout.table, disk, logical if pair is extended else ())
        for pair, number in zip(pairs, numbers, strict=True)
    )
    return tuple(item for item in items if not _only_removes(item.wanted))


def _logical(row: Sequence[_Pair], table: TableKind, disk: Disk) -> tuple[Item, ...]:
    """Logical partitions are numbered by their place, whatever number they had."""
    items: list[Item] = []
    for pair in row:
        if not _only_removes(pair[0]):
            number = FIRST_LOGICAL + sum(item.kind != types.EMPTY for item in items)
            items.append(_item(pair, number, table, disk))
    return tuple(items)


def _item(
    pair: _Pair, number: int, table: TableKind, disk: Disk, logical: tuple[Item, ...] = ()
) -> Item:
    wanted, kept = pair
    kind = wanted.type
    if kept is not None:
        kind = kept.type if disk.table is table else _converted(wanted, kept, table, disk)
    return Item(wanted, kept=kept, number=number, kind=kind, logical=logical)


def _converted(wanted: LayoutPartition, kept: Partition, table: TableKind, disk: Disk) -> str:
    """The type in the other kind of table of a partition that stays."""
    if wanted.type != types.UNKNOWN:
        return wanted.type
    kind = types.converted(kept.type, table, filesystem=kept.filesystem)
    if not kind:
        raise PartitionError(
            f"Partition {kept.number} of {disk.describe()} ({kept.type}) cannot be kept while the "
            f"table is converted: no type of a {table} table means the same.",
            hint="Say its new 'type' in the layout, or do not keep it.",
        )
    return kind


def _matched(
    entries: Sequence[LayoutPartition], table: TableKind, disk: Disk, *, first: int
) -> list[_Pair]:
    found: list[_Pair] = []
    for at, entry in enumerate(entries, start=first):
        part = None if entry.keep is False else _existing(entry, at, disk)
        if part is None and entry.keep:
            which = f"PARTUUID {entry.partuuid}" if entry.partuuid else entry.number or at
            raise PartitionError(
                f"Partition {which} of {disk.describe()} shall be kept, but there is none.",
                hint=disk.its_partitions(),
            )
        if part is not None:
            _check_kept(entry, part, table, disk, logical=first == FIRST_LOGICAL)
        found.append((entry, part))
    return found


def _check_kept(
    entry: LayoutPartition, part: Partition, table: TableKind, disk: Disk, *, logical: bool
) -> None:
    same_table = disk.table is table
    if table is TableKind.MSDOS and _is_logical(part, disk) is not logical:
        raise PartitionError(
            f"Partition {part.number} of {disk.describe()} cannot be kept: a primary "
            "partition cannot become a logical one, nor the other way round."
        )
    same_type = part.type if same_table else types.converted(entry.type, disk.table)
    if entry.type not in (types.UNKNOWN, part.type) and (same_table or same_type != part.type):
        raise PartitionError(
            f"Partition {part.number} of {disk.describe()} shall be kept as {entry.type}, "
            f"but it is {part.type}."
        )
    if same_table and entry.partuuid and entry.number not in (None, part.number):
        raise PartitionError(
            f"The partition with PARTUUID {entry.partuuid} is kept as number {part.number}, "
            f"not {entry.number}."
        )


def _existing(entry: LayoutPartition, position: int, disk: Disk) -> Partition | None:
    if entry.partuuid:
        return next(
            (one for one in disk.partitions if one.partuuid.lower() == entry.partuuid), None
        )
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


def _unnamed_caches(disk: Disk, listed: Sequence[_Pair]) -> list[Partition]:
    if any(entry.type == types.CACHE for entry, _ in listed):
        return []
    kept = [part for _, part in listed if part is not None]
    return [part for part in disk.partitions if part.type == types.CACHE and part not in kept]


def _add_by_place(pairs: list[_Pair], stays: tuple[LayoutPartition, Partition]) -> None:
    """Into the list where it lies: before the first that stays behind it, mostly at the end."""
    start = stays[1].start_bytes
    at = next(
        (at for at, (_, part) in enumerate(pairs) if part and part.start_bytes > start), len(pairs)
    )
    pairs.insert(at, stays)


def _check_stays_around(cache: Partition, extended: _Pair | None, disk: Disk) -> None:
    if extended is None or extended[1] is None:
        raise PartitionError(
            f"The CACHE of {disk.describe()} is kept, but it is the logical partition "
            f"{cache.number} and the layout does not keep its EXTENDED one.",
            hint='Keep the EXTENDED partition too, or say {"type": "CACHE", "keep": false}.',
        )


def _numbers(pairs: Sequence[_Pair], table: TableKind, disk: Disk) -> list[int]:
    """Explicit numbers and those of kept partitions first; the others take the lowest free."""
    fixed: list[int | None] = []
    for entry, part in pairs:
        number = entry.number if part is None or entry.partuuid else part.number
        if part is not None and disk.table is table:
            number = part.number
        elif part is not None and table is TableKind.MSDOS and (number or 0) > PRIMARY_SLOTS:
            number = None  # it comes from a gpt; here it is one of the four primary ones
        fixed.append(None if _only_removes(entry) else number)
    taken = [number for number in fixed if number is not None]
    for number in taken:
        if taken.count(number) > 1:
            raise PartitionError(
                f"The layout gives number {number} to two partitions.",
                hint="The CACHE keeps its number unless the layout says otherwise.",
            )
    free = (number for number in range(1, 100_000) if number not in taken)
    numbers = [
        0 if _only_removes(entry) else next(free) if number is None else number
        for (entry, _), number in zip(pairs, fixed, strict=True)
    ]
    if table is TableKind.MSDOS and max(numbers, default=0) > PRIMARY_SLOTS:
        raise PartitionError(
            f"An msdos table has {PRIMARY_SLOTS} places, but with what stays on "
            f"{disk.describe()} there would be a partition {max(numbers)}.",
            hint='The CACHE stays unless the layout says {"type": "CACHE", "keep": false}. '
            "Put others under 'partitions' of an EXTENDED one, or use gpt.",
        )
    return numbers


def _only_removes(entry: LayoutPartition) -> bool:
    """``{"type": "CACHE", "keep": false}``: no partition, but the word that the cache may go."""
    return entry.type == types.CACHE and entry.keep is False and entry.size is None


def _is_logical(part: Partition, disk: Disk) -> bool:
    return disk.table is TableKind.MSDOS and part.number >= FIRST_LOGICAL


def _is_extended(pair: _Pair) -> bool:
    return types.EXTENDED in (pair[0].type, pair[1].type if pair[1] else "")
