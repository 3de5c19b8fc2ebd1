# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the CACHE partition lies: at the end of the disk, behind everything else.

Pure. Owns its place and number; what is in it belongs to ``oglib.cache``.
"""

from __future__ import annotations

from dataclasses import replace

from oglib.disk import types
from oglib.disk.model import MIB, PRIMARY_SLOTS, Disk, Partition, TableKind
from oglib.disk.planning.edit import as_found, edited, is_logical, without
from oglib.disk.planning.planned import (
    PlannedPartition,
    TablePlan,
    bounds_of,
    lost_whole,
    refuse_damaged,
    refuse_foreign,
    removal,
)
from oglib.disk.tables.gpt import SLOTS
from oglib.errors import PartitionError
from oglib.wording.amounts import human_bytes

_USUAL_NUMBER = 4


def plan_cache(
    disk: Disk,
    size_bytes: int,
    *,
    number: int | None = None,
    table: TableKind = TableKind.GPT,
) -> TablePlan:
    """The CACHE at the end of the disk; the old one goes when its size or number is another.

    ``table`` is what a disk without one gets. A new cache's partition is wiped: format it.
    """
    refuse_foreign(disk)
    refuse_damaged(disk)
    kind = table if disk.table is TableKind.NONE else disk.table
    bounds = bounds_of(disk, kind)
    old = _cache(disk)
    sectors = -(-size_bytes // disk.logical_sector_bytes)
    same_size = old is not None and old.size_bytes == sectors * disk.logical_sector_bytes
    if old and same_size and number in (None, old.number):
        return edited(disk, as_found(disk), ())
    chosen = _cache_number(disk, kind, old, number)
    others = without(disk, old.number).partitions if old else as_found(disk)
    room = cache_room(disk)
    if size_bytes < MIB or size_bytes > room:
        raise PartitionError(
            f"A cache of {human_bytes(size_bytes)} ({size_bytes} bytes) does not fit at the end "
            f"of {disk.describe()}: there is room for {human_bytes(room)} ({room} bytes), and it "
            f"has at least {human_bytes(MIB)}.",
            hint="Make it smaller, or remove or shrink the partition before it.",
        )
    new = PlannedPartition(
        number=chosen,
        start_sector=bounds.down(bounds.end - sectors),
        size_sectors=sectors,
        type=types.CACHE,
        type_id=types.raw_id(types.CACHE, kind),
        name=types.CACHE if kind is TableKind.GPT else "",
        active=False,
        fresh=True,
    )
    at = human_bytes(new.start_sector * disk.logical_sector_bytes)
    said = []
    if disk.table is not kind:
        said = [*lost_whole(disk), f"write a new {kind} table (there was none)"]
    said += [removal(old)] if old else []
    said.append(f"create partition {chosen}: CACHE, {human_bytes(size_bytes)} at {at}")
    plan = edited(disk, [*others, new], tuple(said), gone=[old] if old else [])
    return replace(plan, table=kind, new_table=disk.table is not kind)


def cache_room(disk: Disk) -> int:
    """The most bytes that a CACHE could have behind the last other partition."""
    kind = TableKind.GPT if disk.table is TableKind.NONE else disk.table
    bounds = bounds_of(disk, kind)
    old = _cache(disk)
    others = [one for one in as_found(disk) if old is None or one.number != old.number]
    behind = max((one.end_sector for one in others), default=0)
    start = max(bounds.start, bounds.up(behind))
    return max(0, bounds.end - start) * disk.logical_sector_bytes


def _cache(disk: Disk) -> Partition | None:
    caches = [part for part in disk.partitions if part.type == types.CACHE]
    if len(caches) > 1:
        numbers = ", ".join(str(part.number) for part in caches)
        raise PartitionError(
            f"{disk.describe()} has several cache partitions: {numbers}.",
            hint="Remove all but one of them first.",
        )
    return caches[0] if caches else None


def _cache_number(disk: Disk, table: TableKind, old: Partition | None, asked: int | None) -> int:
    taken = {part.number: part for part in disk.partitions if part is not old}
    if old is not None and asked is None and not is_logical(old, disk):
        return old.number
    most = PRIMARY_SLOTS if table is TableKind.MSDOS else SLOTS
    if asked is not None:
        if asked in taken:
            raise PartitionError(
                f"Number {asked} of {disk.describe()} is taken by a partition of type "
                f"{taken[asked].type}; the CACHE cannot have it."
            )
        if not 1 <= asked <= most:
            raise PartitionError(
                f"The CACHE cannot be number {asked} of a {table} table: 1 to {most} are possible."
            )
        return asked
    numbers: list[int] = [_USUAL_NUMBER, *range(1, most + 1)]
    for number in numbers:
        if number not in taken:
            return number
    raise PartitionError(
        f"All {most} numbers of {disk.describe()} are taken; there is none for the CACHE."
    )
