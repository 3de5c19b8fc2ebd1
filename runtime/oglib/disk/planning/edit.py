# SPDX-License-Identifier: GPL-3.0-or-later
"""One change to a table as a plan: a type, the active flag, a size, one partition less.

Pure. Every partition that is not named stays where it is, untouched; the result is an ordinary
``TablePlan``, so that a single change is checked, written and compared like a whole layout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from oglib.disk import types
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.planning.planned import (
    FINISH,
    FIRST_LOGICAL,
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
from oglib.errors import NotFoundError, OgErr, PartitionError

_MBR_ID = re.compile(r"^[0-9a-f]{1,2}$")
_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def with_type(disk: Disk, number: int, type_id: str) -> TablePlan:
    """Another type for one partition: an MBR id, a GUID, or a mnemonic; its content stays."""
    part = _numbered(disk, number)
    raw = _raw_type(type_id, disk.table)
    kind = types.mnemonic(raw, disk.table, name=part.name)
    if types.EXTENDED in (kind, part.type) and kind != part.type:
        raise PartitionError(
            f"Partition {number} of {disk.describe()} cannot change between {part.type} and "
            f"{kind}: an EXTENDED partition holds others."
        )
    name = part.name
    if disk.table is TableKind.GPT and type_id.strip().upper() == types.CACHE:
        kind, name = types.CACHE, types.CACHE
    elif disk.table is TableKind.GPT and part.type == types.CACHE:
        # there it is the name that makes a cache
        kind, name = types.mnemonic(raw, disk.table), ""
    same = (raw, name) == (part.type_id, part.name)
    said = f"change the type of partition {number}: {part.type} -> {kind} ({raw})"
    new = replace(_as_is(part, disk), type=kind, type_id=raw, name=name)
    return edited(disk, _replaced(disk, new), () if same else (said,))


def with_active(disk: Disk, number: int, *, active: bool = True) -> TablePlan:
    """Mark one partition as the one that a BIOS boots, or none; only an MBR knows that."""
    part = _numbered(disk, number)
    if disk.table is not TableKind.MSDOS:
        raise PartitionError(
            f"{disk.describe()} has a {disk.table} table; only msdos knows an active partition.",
            code=OgErr.NOMSDOS,
        )
    if active and (number >= FIRST_LOGICAL or part.type == types.EXTENDED):
        raise PartitionError(f"Partition {number} cannot be active: only a primary one can.")
    new = [
        replace(one, active=active if one.number == number else one.active and not active)
        for one in as_found(disk)
    ]
    was = {one.number: one.active for one in disk.partitions}
    said = tuple(
        f"make partition {one.number} {'active' if one.active else 'not active'}"
        for one in new
        if one.active != was[one.number]
    )
    return edited(disk, new, said)


def with_size(disk: Disk, number: int, size_bytes: int) -> TablePlan:
    """Another size for one partition at the same start; its filesystem is not looked at."""
    part = _numbered(disk, number)
    sectors = -(-size_bytes // disk.logical_sector_bytes)
    if sectors < 1:
        raise PartitionError(f"A partition cannot have {size_bytes} bytes.", code=OgErr.FORMAT)
    new = replace(_as_is(part, disk), size_sectors=sectors)
    _check_inside_extended(new, disk)
    size = sectors * disk.logical_sector_bytes
    said = f"change the size of partition {number}: {part.size_bytes} -> {size} bytes"
    changes = (said,) if size != part.size_bytes else ()
    return edited(disk, _replaced(disk, new), changes)


def without(disk: Disk, number: int) -> TablePlan:
    """One partition less; an EXTENDED one takes its logical ones along, a logical one moves up."""
    part = _numbered(disk, number)
    gone = [part]
    if part.type == types.EXTENDED:
        gone += [one for one in disk.partitions if one.number >= FIRST_LOGICAL]
    left = [one for one in as_found(disk) if one.number not in {item.number for item in gone}]
    if is_logical(part, disk):
        left = [replace(one, number=one.number - 1) if one.number > number else one for one in left]
    return edited(disk, left, tuple(removal(one) for one in gone), gone=gone)


def emptied(disk: Disk, table: TableKind | None = None) -> TablePlan:
    """A new table without partitions, the CACHE's included; also in place of a damaged one."""
    refuse_foreign(disk)
    kind = table or (disk.table if disk.table is not TableKind.NONE else TableKind.MSDOS)
    same = disk.table is kind and not disk.damage
    if same and not disk.partitions:
        return edited(disk, (), ())
    bounds_of(disk, kind)  # a disk that is too small for a table is refused
    lost = lost_whole(disk)
    said = (*lost, f"write a new empty {kind} table", *(removal(one) for one in disk.partitions))
    return replace(_whole(disk, (), said, gone=disk.partitions), table=kind, new_table=True)


def with_table(disk: Disk, table: TableKind) -> TablePlan:
    """A table of this kind: nothing to change where there is a sound one, otherwise a new one."""
    refuse_foreign(disk)
    if disk.table is table and (not disk.damage or is_unfinished(disk)):
        return edited(disk, as_found(disk), ())
    return emptied(disk, table)


def _raw_type(asked: str, table: TableKind) -> str:
    text = asked.strip()
    known = types.names(table) if table in (TableKind.GPT, TableKind.MSDOS) else ()
    if text.upper() in known:
        return types.raw_id(text.upper(), table)
    raw = types.normalise_id(text)
    pattern = _GUID if table is TableKind.GPT else _MBR_ID
    if not pattern.fullmatch(raw) or (table is TableKind.MSDOS and not int(raw, 16)):
        raise PartitionError(
            f"{asked!r} is not a partition type of a {table} table.",
            hint="Give a GUID." if table is TableKind.GPT else "Give two hexadecimal digits.",
            code=OgErr.OUTOFLIMIT,
        )
    return raw


def _check_inside_extended(new: PlannedPartition, disk: Disk) -> None:
    """A logical partition stays inside the extended one, and that around all of them."""
    if disk.table is not TableKind.MSDOS:
        return
    extended = next((one for one in disk.partitions if one.type == types.EXTENDED), None)
    if extended is None:
        return
    sector = disk.logical_sector_bytes
    whole_end = extended.end_bytes // sector
    ends = [one.end_bytes // sector for one in disk.partitions if is_logical(one, disk)]
    if new.number == extended.number:
        if max(ends, default=0) > new.end_sector:
            raise PartitionError(
                f"The EXTENDED partition would end at sector {new.end_sector}, but its last "
                f"logical one ends at {max(ends)}."
            )
    elif new.number >= FIRST_LOGICAL and new.end_sector > whole_end:
        raise PartitionError(
            f"Partition {new.number} would end at sector {new.end_sector}, but its EXTENDED "
            f"one ends at {whole_end}."
        )


def _numbered(disk: Disk, number: int) -> Partition:
    refuse_foreign(disk)
    refuse_damaged(disk)
    for part in disk.partitions:
        if part.number == number:
            return part
    raise NotFoundError(f"{disk.describe()} has no partition {number}.", hint=disk.its_partitions())


def is_logical(part: Partition, disk: Disk) -> bool:
    """Whether it lies in an extended partition, so that its number follows from its place."""
    return disk.table is TableKind.MSDOS and part.number >= FIRST_LOGICAL


def _as_is(part: Partition, disk: Disk) -> PlannedPartition:
    sector = disk.logical_sector_bytes
    return PlannedPartition(
        number=part.number,
        start_sector=part.start_bytes // sector,
        size_sectors=part.size_bytes // sector,
        type=part.type,
        type_id=part.type_id,
        name=part.name if disk.table is TableKind.GPT else "",
        active=part.active and disk.table is TableKind.MSDOS,
        fresh=False,
    )


def as_found(disk: Disk) -> list[PlannedPartition]:
    """Every partition as it is."""
    return [_as_is(part, disk) for part in disk.partitions]


def _replaced(disk: Disk, new: PlannedPartition) -> list[PlannedPartition]:
    return [new if one.number == new.number else one for one in as_found(disk)]


def edited(
    disk: Disk,
    partitions: Sequence[PlannedPartition],
    changes: tuple[str, ...],
    *,
    gone: Sequence[Partition] = (),
) -> TablePlan:
    """The checked plan for these partitions on the present table; nothing to do without changes."""
    refuse_foreign(disk)
    refuse_damaged(disk)
    unfinished = (FINISH,) if disk.damage else ()
    plan = _whole(disk, partitions, unfinished + changes, gone=gone)
    if plan.changes:
        check_sound(plan.partitions, disk, disk.table)
        refuse_lost_hybrid(plan.partitions, disk)
    return plan


def _whole(
    disk: Disk,
    partitions: Sequence[PlannedPartition],
    changes: tuple[str, ...],
    *,
    gone: Sequence[Partition],
) -> TablePlan:
    return TablePlan(
        path=disk.path,
        table=disk.table,
        sector_bytes=disk.logical_sector_bytes,
        disk_size_bytes=disk.size_bytes,
        partitions=tuple(sorted(partitions, key=lambda part: part.number)),
        removed=tuple(sorted(part.number for part in gone)),
        new_table=False,
        before=disk.partitions,
        changes=changes,
        damage=disk.damage,
    )
