# SPDX-License-Identifier: GPL-3.0-or-later
"""From a layout and a disk as found to the exact table to write; pure arithmetic.

Owns alignment (1 MiB), what is the same and what changes. Touches no device. Everything new
begins at whole MiB; the last MiB stays free on msdos too, so that a later conversion to gpt
finds room for its backup table. A partition that is already exactly as wanted stays untouched,
which makes a second apply change nothing. A damaged table is refused, or replaced as a whole:
nothing of it is kept, for what it says cannot be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oglib.disk import types
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.planning import place
from oglib.disk.planning.keep import items_of
from oglib.disk.planning.layout import Layout
from oglib.disk.planning.place import Item
from oglib.disk.planning.planned import (
    FINISH,
    FIRST_LOGICAL,
    MSDOS_SECTORS,
    PlannedPartition,
    TablePlan,
    bounds_of,
    check_sound,
    is_unfinished,
    lost_whole,
    refuse_damaged,
    refuse_foreign,
    refuse_lost_hybrid,
    removal,
)
from oglib.errors import PartitionError
from oglib.wording.amounts import human_bytes


def plan_layout(layout: Layout, disk: Disk, *, replace_damaged: bool = False) -> TablePlan:
    """The table that puts ``layout`` on ``disk``; raises PartitionError when it does not fit."""
    refuse_foreign(disk)
    broken = disk.damage and not is_unfinished(disk)
    keeps = any(entry.keep for entry in layout.partitions)
    if replace_damaged and (broken or (disk.hybrid and not keeps)):
        return _replacing(layout, disk)
    refuse_damaged(disk)
    placed = place.place_all(items_of(layout, disk), bounds_of(disk, layout.table))
    placed = tuple(item for item in placed if item.kind != types.EMPTY)
    active = _active_number(placed, layout.table)
    planned = tuple(
        sorted(
            (_planned(item, disk, layout.table, active) for item in placed),
            key=lambda part: part.number,
        )
    )
    check_sound(planned, disk, layout.table)
    refuse_lost_hybrid(planned, disk)
    old = {part.number: _stays(part, planned, disk, layout.table) for part in disk.partitions}
    return TablePlan(
        path=disk.path,
        table=layout.table,
        sector_bytes=disk.logical_sector_bytes,
        disk_size_bytes=disk.size_bytes,
        partitions=planned,
        removed=tuple(sorted(number for number, stays in old.items() if stays is None)),
        new_table=disk.table is not layout.table,
        before=disk.partitions,
        changes=_changes(planned, disk, layout.table),
        notes=_notes(placed, disk, layout.table),
        damage=disk.damage,
    )


def _replacing(layout: Layout, disk: Disk) -> TablePlan:
    if any(entry.keep for entry in layout.partitions):
        raise PartitionError(
            f"The partition table of {disk.describe()} is damaged, so nothing of it can be kept: "
            f"{' '.join(disk.damage)}",
            hint="Repair it first ('og disk repair'), or keep nothing.",
        )
    blank = replace(disk, table=TableKind.NONE, partitions=(), damage=(), hybrid=(), filesystem="")
    plan = plan_layout(layout, blank)
    lost = (removal(part) for part in disk.partitions)
    was = "damaged" if disk.damage else "hybrid"
    return replace(
        plan,
        removed=tuple(part.number for part in disk.partitions),
        before=disk.partitions,
        changes=(
            *lost_whole(disk),
            f"write a new {layout.table} table in place of the {was} one",
            *lost,
            *plan.changes[1:],
        ),
        damage=disk.damage,
    )


def _planned(item: Item, disk: Disk, table: TableKind, active: int | None) -> PlannedPartition:
    old = item.kept or next((part for part in disk.partitions if _slot(part, item, disk)), None)
    kind = item.kind
    same = old is not None and disk.table is table and old.type == kind
    type_id = old.type_id if same and old else types.raw_id(types.canonical(kind, table), table)
    name = item.wanted.name
    if name is None:
        name = old.name if old and (same or item.kept) else ""
        name = types.CACHE if kind == types.CACHE and table is TableKind.GPT else name
    planned = PlannedPartition(
        number=item.number,
        start_sector=item.start,
        size_sectors=item.size,
        type=kind,
        type_id=type_id,
        name=name if table is TableKind.GPT else "",
        active=item.number == active,
        fresh=item.kept is None,
        kept=item.kept is not None,
    )
    if same and old and _same_place(planned, old, disk):
        return replace(planned, fresh=False)
    return planned


def _slot(part: Partition, item: Item, disk: Disk) -> bool:
    """Whether ``part`` is what is now where ``item`` comes: by number, logical ones by place."""
    if disk.table is TableKind.MSDOS and item.number >= FIRST_LOGICAL:
        at_bytes = item.start * disk.logical_sector_bytes
        return part.number >= FIRST_LOGICAL and part.start_bytes == at_bytes
    return part.number == item.number


def _same_place(
    new: PlannedPartition, old: Partition, disk: Disk, *, any_type: bool = False
) -> bool:
    sector = disk.logical_sector_bytes
    return (
        new.start_sector * sector == old.start_bytes
        and new.size_sectors * sector == old.size_bytes
        and (any_type or new.type == old.type)
    )


def _active_number(items: Sequence[Item], table: TableKind) -> int | None:
    """Old BIOSes boot only a disk with an active partition, so one is chosen unless said."""
    if table is not TableKind.MSDOS:
        return None
    primary = [item for item in items if item.number < FIRST_LOGICAL]
    said = [item.number for item in primary if item.wanted.active]
    stays = [item.number for item in primary if item.kept and item.kept.active]
    linux = [item.number for item in primary if item.kind == "LINUX"]
    windows = [item.number for item in primary if item.kind == "NTFS"]
    return next(iter([*said, *stays, *linux, *windows]), None)


def _stays(
    part: Partition, planned: Sequence[PlannedPartition], disk: Disk, table: TableKind
) -> PlannedPartition | None:
    """The planned partition in which the content of ``part`` lives on."""
    if disk.table is not table and part.type == types.EXTENDED:
        return None
    return next(
        (
            new
            for new in planned
            if not new.fresh and _same_place(new, part, disk, any_type=disk.table is not table)
        ),
        None,
    )


def _changes(planned: Sequence[PlannedPartition], disk: Disk, table: TableKind) -> tuple[str, ...]:
    sector = disk.logical_sector_bytes
    said = [FINISH] if disk.damage else []
    if disk.table is not table:
        was = "there was none" if disk.table is TableKind.NONE else f"it was {disk.table}"
        said += [*lost_whole(disk), f"write a new {table} table ({was})"]
    living: dict[int, Partition] = {}
    for part in disk.partitions:
        new = _stays(part, planned, disk, table)
        if new is None:
            said.append(removal(part))
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
    reach = MSDOS_SECTORS * disk.logical_sector_bytes
    if table is TableKind.MSDOS and disk.size_bytes > reach + MIB:
        said.append(
            f"an msdos table reaches only the first {human_bytes(reach)} of "
            f"{human_bytes(disk.size_bytes)}; use gpt for all of it"
        )
    return tuple(said)
