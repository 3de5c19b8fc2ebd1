# SPDX-License-Identifier: GPL-3.0-or-later
"""From the partitions of an imaged disk to the table for another one; pure arithmetic.

Every partition keeps its number, type, name and place. What the new disk has more or less goes to
the last one whose filesystem can follow, where nothing but swap and empty partitions lies behind
it: those move along. Nothing else moves, for boot loaders and Windows remember places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from oglib.disk import types
from oglib.disk.exact import Exact
from oglib.disk.gpt import ENTRIES_BYTES, ENTRY_BYTES, Marks, fitting_name
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.planned import (
    FINISH,
    FIRST_LOGICAL,
    Identity,
    Planned,
    TablePlan,
    bounds_of,
    check_sound,
    is_unfinished,
    lost_whole,
    refuse_foreign,
    removal,
)
from oglib.errors import OgErr, PartitionError
from oglib.image.disk_image import Content, DiskPart
from oglib.progress import human_bytes

_MOVABLE = (Content.SWAP, Content.EMPTY, Content.EXTENDED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The disk that an image was made of: its table and what each partition holds.

    ``exact``: the sectors of that table, where the image has them.
    """

    table: TableKind
    disk_id: str
    size_bytes: int
    sector_bytes: int
    parts: tuple[DiskPart, ...]
    exact: Exact | None = None

    def is_exact(self, disk: Disk, parts: tuple[DiskPart, ...]) -> bool:
        """Whether the table of ``parts`` on ``disk`` is the very one of the image, to the byte.

        Where a GPT lies depends on the size of its disk; sectors of an msdos table know nothing
        of it.
        """
        if self.exact is None or parts != self.parts:
            return False
        return self.table is TableKind.MSDOS or disk.size_bytes == self.exact.size_bytes


@dataclass(frozen=True, slots=True)
class Fitted:
    """The table to write, and the partitions as they will lie."""

    plan: TablePlan
    parts: tuple[DiskPart, ...]


def fit(wanted: Wanted, disk: Disk, can_grow: Callable[[DiskPart], bool], *, grow: bool) -> Fitted:
    """The table of ``wanted`` on ``disk``; ``PartitionError`` when it does not fit there.

    ``grow`` False leaves what a larger disk has more unused.
    """
    refuse_foreign(disk)
    if disk.logical_sector_bytes != wanted.sector_bytes:
        raise PartitionError(
            f"{disk.describe()} has sectors of {disk.logical_sector_bytes} bytes, but the image is "
            f"of a disk with sectors of {wanted.sector_bytes}.",
            hint="Restore its partitions singly, or to a disk with the same sectors.",
        )
    disk = replace(disk, entries_bytes=_entries_bytes(wanted))
    parts = _placed(wanted, disk, can_grow, grow=grow)
    planned = tuple(_planned(part, disk, wanted.table) for part in parts)
    check_sound(planned, disk, wanted.table)
    broken = bool(disk.damage) and not is_unfinished(disk)
    new_table = disk.table is not wanted.table or broken
    if new_table:
        planned = tuple(replace(part, fresh=True) for part in planned)
    identity = Identity(
        wanted.disk_id,
        {part.number: Marks(part.partuuid, part.attributes) for part in parts}
        if wanted.table is TableKind.GPT
        else {},
    )
    stays = {part.number for part in planned if not part.fresh}
    return Fitted(
        TablePlan(
            path=disk.path,
            table=wanted.table,
            sector_bytes=disk.logical_sector_bytes,
            disk_size_bytes=disk.size_bytes,
            partitions=planned,
            removed=tuple(p.number for p in disk.partitions if p.number not in stays),
            new_table=new_table,
            before=disk.partitions,
            changes=_changes(planned, disk, wanted.table, new_table=new_table),
            damage=disk.damage,
            identity=identity,
            like=wanted.exact,
            exactly=wanted.is_exact(disk, parts),
        ),
        parts,
    )


def _entries_bytes(wanted: Wanted) -> int:
    """The room that the entries of the image's GPT take; what the target's took is no matter."""
    if wanted.exact is not None and wanted.exact.copy is not None:
        return len(wanted.exact.copy.raw_entries)
    return max((part.number for part in wanted.parts), default=0) * ENTRY_BYTES


def _placed(
    wanted: Wanted, disk: Disk, can_grow: Callable[[DiskPart], bool], *, grow: bool
) -> tuple[DiskPart, ...]:
    limit = wanted.size_bytes if disk.size_bytes == wanted.size_bytes else _end(disk, wanted.table)
    last = max((part.end_bytes for part in wanted.parts), default=0)
    spare = limit - last
    same = disk.size_bytes == wanted.size_bytes or not wanted.parts
    if same or (spare >= 0 and not grow) or (spare <= 0 and last <= _hard_end(disk, wanted.table)):
        return wanted.parts
    spare = spare // MIB * MIB  # also downwards: what moves stays aligned
    flexible = _flexible(wanted.parts, can_grow)
    if flexible is None:
        if spare >= 0:
            return wanted.parts
        raise _too_small(wanted, disk, last, limit, "none of its last partitions can be smaller")
    size = flexible.size_bytes + spare
    if size < flexible.required_bytes:
        why = (
            f"partition {flexible.number} would have {human_bytes(max(size, 0))}, and its image "
            f"needs {human_bytes(flexible.required_bytes)}"
        )
        raise _too_small(wanted, disk, last, limit, why)
    if not spare:
        return wanted.parts
    return tuple(_shifted(part, flexible, spare) for part in wanted.parts)


def _end(disk: Disk, table: TableKind) -> int:
    """Where the last partition shall end: at a whole MiB, the last of the disk left free."""
    return bounds_of(disk, table).end * disk.logical_sector_bytes


def _hard_end(disk: Disk, table: TableKind) -> int:
    """Where it must end."""
    if table is TableKind.MSDOS:
        return disk.size_bytes
    entries = max(ENTRIES_BYTES, disk.entries_bytes)
    return disk.size_bytes - entries - disk.logical_sector_bytes


def _flexible(parts: Sequence[DiskPart], can_grow: Callable[[DiskPart], bool]) -> DiskPart | None:
    """The partition that takes or gives room."""
    for part in sorted(parts, key=lambda one: one.start_bytes, reverse=True):
        if part.content is Content.IMAGE:
            return part if can_grow(part) else None
        if part.content not in _MOVABLE:
            return None
    return None


def _shifted(part: DiskPart, flexible: DiskPart, by: int) -> DiskPart:
    if part.number == flexible.number:
        return replace(part, size_bytes=part.size_bytes + by)
    if part.start_bytes >= flexible.end_bytes:
        return replace(part, start_bytes=part.start_bytes + by)
    if part.content is Content.EXTENDED and part.end_bytes >= flexible.end_bytes:
        return replace(part, size_bytes=part.size_bytes + by)
    return part


def _too_small(wanted: Wanted, disk: Disk, last: int, limit: int, why: str) -> PartitionError:
    return PartitionError(
        f"The image is of a disk of {human_bytes(wanted.size_bytes)} whose partitions end at "
        f"{last} bytes, but {disk.describe()} has room until {limit}, and {why}.",
        hint="Choose a larger disk, or make the image of that partition smaller with "
        "`og image convert --fit`.",
        code=OgErr.IMGSIZEPARTITION,
    )


def _planned(part: DiskPart, disk: Disk, table: TableKind) -> Planned:
    """Fresh where another partition lies there now; else an interrupted restore goes on."""
    sector = disk.logical_sector_bytes
    kind = types.mnemonic(part.type_id, table, name=part.name)
    old = next((one for one in disk.partitions if one.number == part.number), None)
    same = (
        old is not None
        and disk.table is table
        and (old.start_bytes, old.size_bytes) == (part.start_bytes, part.size_bytes)
        and (old.type == types.EXTENDED) == (kind == types.EXTENDED)
    )
    return Planned(
        number=part.number,
        start_sector=part.start_bytes // sector,
        size_sectors=part.size_bytes // sector,
        type=kind,
        type_id=part.type_id,
        name=fitting_name(part.name),
        active=part.active and table is TableKind.MSDOS and part.number < FIRST_LOGICAL,
        fresh=not same,
    )


def _changes(
    planned: Sequence[Planned], disk: Disk, table: TableKind, *, new_table: bool
) -> tuple[str, ...]:
    """The table in words; all of it is written anew, so there is always one."""
    said = [FINISH] if is_unfinished(disk) else []
    if new_table:
        was = "there was none" if disk.table is TableKind.NONE else f"it was {disk.table}"
        was = "it is damaged" if disk.damage else was
        said += [*lost_whole(disk), f"write a new {table} table ({was})"]
    fresh = {part.number for part in planned if part.fresh}
    there = {part.number for part in planned}
    said += [removal(old) for old in disk.partitions if _goes(old, there, fresh)]
    for part in planned:
        size = human_bytes(part.size_sectors * disk.logical_sector_bytes)
        at = human_bytes(part.start_sector * disk.logical_sector_bytes)
        done = "create" if part.fresh else "overwrite"
        said.append(f"{done} partition {part.number}: {part.type}, {size} at {at}")
    return tuple(said)


def _goes(old: Partition, there: set[int], fresh: set[int]) -> bool:
    return old.number not in there or old.number in fresh
