# SPDX-License-Identifier: GPL-3.0-or-later
"""From the partitions of an imaged disk to the table for another one; pure arithmetic.

Every partition keeps its number, type, name and place. On a disk that is no larger than the imaged
one nothing moves and nothing grows as long as all of it fits. Otherwise what there is more or less
goes to the last system or data partition: the last filesystem that can be resized, of a partition
that is not fixed, where nothing lies behind it but what moves along. What is fixed, moves along or
grows says ``fixed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from oglib.deploy.whole_disk.fixed import RECOVERY, can_grow, fixed_as, moves_along
from oglib.disk import types
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.planning.planned import (
    FINISH,
    FIRST_LOGICAL,
    Identity,
    PlannedPartition,
    TablePlan,
    bounds_of,
    check_sound,
    is_unfinished,
    lost_whole,
    refuse_foreign,
    removal,
)
from oglib.disk.tables.exact import Exact
from oglib.disk.tables.gpt import ENTRIES_BYTES, ENTRY_BYTES, Marks, fitting_name
from oglib.errors import OgErr, PartitionError
from oglib.image.format.disk_manifest import Content, DiskPart
from oglib.wording.amounts import human_bytes


@dataclass(frozen=True, slots=True)
class ImagedDisk:
    """The disk that an image was made of: its table and what each partition holds.

    Without ``size_known`` the image does not say how large that disk was, and ``size_bytes`` is a
    guess. ``notes`` are said with every plan. ``exact``: the sectors of that table, where the
    image has them.
    """

    table: TableKind
    disk_id: str
    size_bytes: int
    sector_bytes: int
    parts: tuple[DiskPart, ...]
    size_known: bool = True
    notes: tuple[str, ...] = ()
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
class SizedDisk:
    """The table to write, and the partitions as they will lie."""

    plan: TablePlan
    parts: tuple[DiskPart, ...]


def sized_for(imaged: ImagedDisk, disk: Disk, *, grow: bool) -> SizedDisk:
    """The table of ``imaged`` on ``disk``; ``PartitionError`` when it does not fit there.

    ``grow`` False leaves what a larger disk has more unused.
    """
    refuse_foreign(disk)
    if disk.logical_sector_bytes != imaged.sector_bytes:
        raise PartitionError(
            f"{disk.describe()} has sectors of {disk.logical_sector_bytes} bytes, but the image is "
            f"of a disk with sectors of {imaged.sector_bytes}.",
            hint="Restore its partitions singly, or to a disk with the same sectors.",
        )
    disk = replace(disk, entries_bytes=_entries_bytes(imaged))
    parts, said = _placed(imaged, disk, grow=grow)
    planned = tuple(_planned(part, disk, imaged.table) for part in parts)
    check_sound(planned, disk, imaged.table)
    broken = bool(disk.damage) and not is_unfinished(disk)
    new_table = disk.table is not imaged.table or broken
    if new_table:
        planned = tuple(replace(part, fresh=True, kept=False) for part in planned)
    identity = Identity(
        imaged.disk_id,
        {part.number: Marks(part.partuuid, part.attributes) for part in parts}
        if imaged.table is TableKind.GPT
        else {},
    )
    stays = {part.number for part in planned if not part.fresh}
    return SizedDisk(
        TablePlan(
            path=disk.path,
            table=imaged.table,
            sector_bytes=disk.logical_sector_bytes,
            disk_size_bytes=disk.size_bytes,
            partitions=planned,
            removed=tuple(p.number for p in disk.partitions if p.number not in stays),
            new_table=new_table,
            before=disk.partitions,
            changes=(
                *_changes(planned, parts, disk, imaged.table, new_table=new_table),
                *said,
                *imaged.notes,
            ),
            damage=disk.damage,
            identity=identity,
            like=imaged.exact,
            exactly=imaged.is_exact(disk, parts),
        ),
        parts,
    )


def _entries_bytes(imaged: ImagedDisk) -> int:
    """The room that the entries of the image's GPT take; what the target's took is no matter."""
    if imaged.exact is not None and imaged.exact.copy is not None:
        return len(imaged.exact.copy.raw_entries)
    return max((part.number for part in imaged.parts), default=0) * ENTRY_BYTES


def _placed(
    imaged: ImagedDisk, disk: Disk, *, grow: bool
) -> tuple[tuple[DiskPart, ...], tuple[str, ...]]:
    """The partitions on ``disk``, and in words what of that is not seen in the table."""
    last = max((part.end_bytes for part in imaged.parts), default=0)
    fits = last <= _hard_end(disk, imaged.table) or disk.size_bytes == imaged.size_bytes
    if fits and not (grow and imaged.parts and _has_more(disk, imaged)):
        return imaged.parts, ()
    limit = _end(disk, imaged.table)
    spare = (limit - last) // MIB * MIB  # also downwards: what moves stays aligned
    if fits and spare <= 0:
        return imaged.parts, ()
    flexible, why = _flexible(imaged)
    if flexible is None:
        if fits:
            return imaged.parts, (f"leave {human_bytes(spare)} at the end unused: {why}",)
        raise _too_small(imaged, disk, last, limit, why)
    size = flexible.size_bytes + spare
    if size < flexible.required_bytes:
        why = (
            f"partition {flexible.number} would have {human_bytes(max(size, 0))}, and its image "
            f"needs {human_bytes(flexible.required_bytes)}"
        )
        raise _too_small(imaged, disk, last, limit, why)
    said = tuple(
        f"move partition {part.number} ({RECOVERY}) along; should Windows miss it, "
        "`reagentc /enable` there finds it"
        for part in imaged.parts
        if part.start_bytes >= flexible.end_bytes and fixed_as(part, imaged.table) == RECOVERY
    )
    return tuple(_shifted(part, flexible, spare) for part in imaged.parts), said


def _has_more(disk: Disk, imaged: ImagedDisk) -> bool:
    """Whether ``disk`` is larger than the imaged one.

    Where nobody knows how large that was, a disk that has this very table is taken for it.
    """
    if imaged.size_known or disk.table is not imaged.table:
        return disk.size_bytes > imaged.size_bytes
    there = {(one.number, one.start_bytes, one.size_bytes) for one in disk.partitions}
    same = {(part.number, part.start_bytes, part.size_bytes) for part in imaged.parts} == there
    return disk.size_bytes > imaged.size_bytes and not same


def _end(disk: Disk, table: TableKind) -> int:
    """Where the last partition shall end: at a whole MiB, the last of the disk left free."""
    return bounds_of(disk, table).end * disk.logical_sector_bytes


def _hard_end(disk: Disk, table: TableKind) -> int:
    """Where it must end."""
    if table is TableKind.MSDOS:
        return disk.size_bytes
    entries = max(ENTRIES_BYTES, disk.entries_bytes)
    return disk.size_bytes - entries - disk.logical_sector_bytes


def _flexible(imaged: ImagedDisk) -> tuple[DiskPart | None, str]:
    """The partition that takes or gives room; None, and why there is none."""
    for part in sorted(imaged.parts, key=lambda one: one.start_bytes, reverse=True):
        fixed = fixed_as(part, imaged.table)
        if part.is_image and not fixed and can_grow(part):
            return part, ""
        if not moves_along(part, imaged.table):
            return None, f"partition {part.number} ({_wall(part, fixed)}) keeps its place and size"
    return None, "no partition has a filesystem that can be resized"


def _wall(part: DiskPart, fixed: str) -> str:
    if part.content is Content.LEFT_OUT:
        return "its content is not in the image"
    return fixed or part.filesystem or str(part.content)


def _shifted(part: DiskPart, flexible: DiskPart, by: int) -> DiskPart:
    if part.number == flexible.number:
        return replace(part, size_bytes=part.size_bytes + by)
    if part.start_bytes >= flexible.end_bytes:
        return replace(part, start_bytes=part.start_bytes + by)
    if part.content is Content.EXTENDED and part.end_bytes >= flexible.end_bytes:
        return replace(part, size_bytes=part.size_bytes + by)
    return part


def _too_small(imaged: ImagedDisk, disk: Disk, last: int, limit: int, why: str) -> PartitionError:
    return PartitionError(
        f"The image is of a disk of {human_bytes(imaged.size_bytes)} whose partitions end at "
        f"{last} bytes, but {disk.describe()} has room until {limit}, and {why}.",
        hint="Choose a larger disk, or make the image of that partition smaller with "
        "`og image convert --fit`.",
        code=OgErr.IMGSIZEPARTITION,
    )


def _planned(part: DiskPart, disk: Disk, table: TableKind) -> PlannedPartition:
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
    return PlannedPartition(
        number=part.number,
        start_sector=part.start_bytes // sector,
        size_sectors=part.size_bytes // sector,
        type=kind,
        type_id=part.type_id,
        name=fitting_name(part.name),
        active=part.active and table is TableKind.MSDOS and part.number < FIRST_LOGICAL,
        fresh=not same,
        kept=same and part.content is Content.LEFT_OUT,
    )


def _changes(
    planned: Sequence[PlannedPartition],
    parts: Sequence[DiskPart],
    disk: Disk,
    table: TableKind,
    *,
    new_table: bool,
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
    left_out = {part.number: part for part in parts if part.content is Content.LEFT_OUT}
    for part in planned:
        size = human_bytes(part.size_sectors * disk.logical_sector_bytes)
        at = human_bytes(part.start_sector * disk.logical_sector_bytes)
        done = "create" if part.fresh else "overwrite"
        tail = ""
        if part.number in left_out:
            done = "keep" if part.kept else "create"
            tail = _left_out(left_out[part.number], disk, kept=part.kept)
        said.append(f"{done} partition {part.number}: {part.type}, {size} at {at}{tail}")
    return tuple(said)


def _left_out(part: DiskPart, disk: Disk, *, kept: bool) -> str:
    """What becomes of the content that the image does not hold."""
    if kept:
        return ", with the content it has here: the image does not hold it"
    lost = [
        str(old.number)
        for old in disk.partitions
        if old.type != types.EXTENDED
        and old.start_bytes < part.end_bytes
        and part.start_bytes < old.start_bytes + old.size_bytes
    ]
    empty = ", empty: its content is not in the image"
    return empty + (f", and that of partition {', '.join(lost)} here is lost" if lost else "")


def _goes(old: Partition, there: set[int], fresh: set[int]) -> bool:
    return old.number not in there or old.number in fresh
