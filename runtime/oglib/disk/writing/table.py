# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a planned partition table, and proves that it is there.

The only owner of ``parted``, which makes msdos tables; types and the disk id are set by ``sfdisk``.
A GPT is made here, entry by entry: the tools know 128 entries and the names of their own
character sets. Whoever made it, sfdisk reads the table on a draft and what it finds is compared
with the plan; then it is brought onto the disk in an order that survives a power cut
(``sectors``). The disk is held exclusively and locked meanwhile (udev waits for the lock), and
only then is the kernel told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import _ped
import parted

from oglib.disk import types
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.planning.planned import FIRST_LOGICAL, Planned, TablePlan
from oglib.disk.probing.probe import probe_target, read_table, sfdisk_table
from oglib.disk.remedy import remedy
from oglib.disk.tables import gpt, mbr
from oglib.disk.tables.damage import examine
from oglib.disk.writing import sectors
from oglib.disk.writing.draft import draft_of
from oglib.disk.writing.kernel import reread, wait_for_nodes, without_maps
from oglib.errors import OgErr, PartitionError
from oglib.kernel.claim import claimed
from oglib.kernel.udev import settle
from oglib.run import run

# more than a table takes at either end of a disk
_TABLE_SECTORS = 64
# pyparted's exceptions have no common ancestor of their own
_PARTED_ERRORS = (
    _ped.ConstraintException,
    _ped.CreateException,
    _ped.DeviceException,
    _ped.DiskException,
    _ped.DiskLabelException,
    _ped.GeometryException,
    _ped.IOException,
    _ped.PartedException,
    _ped.PartitionException,
)


def apply_table(plan: TablePlan) -> Disk:
    """Write the plan, wait until the kernel shows it, and return the disk as it is now.

    Raises PartitionError and changes nothing when the disk is in use, or is not what was
    planned for; raises it as well when the disk afterwards does not hold the plan.
    """
    if plan.nothing_to_change:
        return probe_target(plan.path)
    disk = refuse_changed(plan)
    with without_maps(disk), claimed(plan.path, write=True) as device_fd:
        old_chain = (
            ()
            if disk.table is not TableKind.MSDOS
            else sectors.present_chain(device_fd, plan.sector_bytes)
        )
        table = _finished(plan, device_fd, old_chain)
        sectors.write_plan(device_fd, plan, table, old_chain)
        if (at := sectors.first_difference(device_fd, table)) is not None:
            raise PartitionError(
                f"The table of {plan.path} was written, but the disk does not give back what was "
                f"written at byte {at}.",
                hint="The disk may be failing; look at the kernel's log.",
            )
        _compare(plan, plan.path, read_table(plan.path))
        shown = reread(device_fd, plan.path)
    if shown:
        wait_for_nodes(plan)
    return probe_target(plan.path)


def _finished(plan: TablePlan, device_fd: int, old_chain: Sequence[int]) -> sectors.Table:
    """The sectors to write, judged by sfdisk on a draft; nothing is written to the disk."""
    found = examine(plan.path, plan.disk_size_bytes, plan.sector_bytes)
    first = mbr.unmarked(os.pread(device_fd, plan.sector_bytes, 0))
    if plan.exactly and plan.like is not None:
        table = sectors.exact_table(plan.like, found.good, old_chain)
    elif plan.table is TableKind.GPT:
        try:
            if plan.new_table:
                table = sectors.planned_gpt(plan, None, bytes(len(first)), found.good)
            else:
                table = sectors.planned_gpt(plan, found.copy, first, found.good)
        except ValueError as error:
            raise PartitionError(
                f"The planned GPT has no room on {plan.path}: {error}.",
                hint="Nothing was written. Leave room for the table at both ends of the disk.",
            ) from error
    else:
        with draft_of(plan, () if plan.new_table else [(0, first)]) as draft:
            _draft(plan, draft, _msdos_id(plan, first))
            return sectors.read_msdos(draft, plan, old_chain)
    with draft_of(plan, [*table.others, (0, table.first)]) as draft:
        _compare(plan, draft, sfdisk_table(draft))
    return table


def is_of_another_size(disk: Disk) -> bool:
    """Whether the GPT on this disk was made for one of another size: a raw copy's."""
    found = examine(disk.path, disk.size_bytes, disk.logical_sector_bytes)
    last = disk.size_bytes // disk.logical_sector_bytes - 1
    return found.good is not None and found.good.at == 1 and found.good.other != last


def repair_table(disk: Disk) -> Disk:
    """Write both copies of a damaged GPT from the good one; the partitions stay as they are.

    Raises PartitionError and changes nothing when there is nothing to repair, or no good copy.
    """
    refuse_busy(disk)
    with without_maps(disk), claimed(disk.path, write=True) as device_fd:
        table = _planned_repair(disk, device_fd)
        sectors.write_copies(device_fd, table, disk.logical_sector_bytes)
        shown = reread(device_fd, disk.path)
    repaired = probe_target(disk.path)
    if repaired.damage:
        raise PartitionError(
            f"The partition table of {disk.describe()} was repaired, but is still damaged: "
            f"{' '.join(repaired.damage)}",
            hint="The disk may be failing; look at the kernel's log.",
        )
    if shown:
        settle()
    return repaired


def check_repairable(disk: Disk) -> None:
    """Raise where ``repair_table`` would, by what is on the disk; only reads."""
    refuse_busy(disk)
    with disk.path.open("rb", buffering=0) as device:
        _planned_repair(disk, device.fileno())


def _planned_repair(disk: Disk, device_fd: int) -> sectors.Table:
    """Both copies as a repair writes them."""
    found = examine(disk.path, disk.size_bytes, disk.logical_sector_bytes)
    if not found.damage:
        raise PartitionError(f"The partition table of {disk.describe()} is not damaged.")
    try:
        if found.good is None:
            raise ValueError("no copy of a GPT is whole")
        return _repaired(found.good, disk, device_fd)
    except ValueError as error:
        raise PartitionError(
            f"The partition table of {disk.describe()} cannot be repaired ({error}): "
            f"{' '.join(found.damage)}",
            hint="Save what is needed, then write a new one: "
            "'og disk apply DISK LAYOUT --replace-damaged'.",
        ) from error


def _repaired(good: gpt.Copy, disk: Disk, device_fd: int) -> sectors.Table:
    """Both copies from the good one; ValueError where that would lose what the MBR alone names."""
    sector = disk.logical_sector_bytes
    first = os.pread(device_fd, sector, 0)
    there = {(entry.first, entry.last - entry.first + 1) for entry in good.entries}
    rows = [row for row in mbr.rows(first) if row.used and row.kind != mbr.PROTECTIVE]
    if not mbr.hybrid_rows(first) and any((row.start, row.length) not in there for row in rows):
        raise ValueError("the MBR names partitions that are not in the GPT")
    count = disk.size_bytes // sector
    return sectors.gpt_table(good, mbr.in_front_of_gpt(first, count, {}), (count, sector), good)


def refuse_busy(disk: Disk) -> None:
    """Refuse a disk that somebody uses, or that cannot be written."""
    if disk.in_use:
        raise PartitionError(
            f"{disk.describe()} is in use ({'; '.join(disk.in_use)}), so its partitions "
            "are not changed.",
            hint=remedy(disk),
            code=OgErr.LOCKED,
        )
    if disk.read_only:
        raise PartitionError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)


def refuse_changed(plan: TablePlan) -> Disk:
    """The disk as it is now; raises when it is in use, or not what was planned for any more.

    What its partitions hold is not looked at.
    """
    disk = probe_target(plan.path, contents=False)
    refuse_busy(disk)
    found = (disk.damage, _places(disk.partitions))
    if found != (plan.damage, _places(plan.before)) or disk.size_bytes != plan.disk_size_bytes:
        raise PartitionError(
            f"{disk.describe()} is not as it was when this was planned.",
            hint="Look at it again and plan anew.",
        )
    return disk


def _places(partitions: Sequence[Partition]) -> list[tuple[int, int, int]]:
    return sorted((part.number, part.start_bytes, part.size_bytes) for part in partitions)


def _draft(plan: TablePlan, path: Path, disk_id: str) -> None:
    """Have the tools write the planned msdos table on a draft, and compare what they wrote."""
    try:
        _edit(plan, path)
    except _PARTED_ERRORS as error:
        raise PartitionError(
            f"The partition table of {plan.path} could not be made: {error}."
        ) from error
    _set_types(plan, path, disk_id)
    _compare(plan, path, sfdisk_table(path))


def _edit(plan: TablePlan, path: Path) -> None:
    device = parted.getDevice(str(path))
    try:
        # an msdos table is small and has no identifiers of its own: it is always written anew
        table = parted.freshDisk(device, str(plan.table))
        _add_all(table, plan)
        table.commitToDevice()
    finally:
        # libparted remembers devices by path; a loop device is another disk next time
        device.removeFromCache()


def _add_all(table: parted.Disk, plan: TablePlan) -> None:
    """Add what is missing in the order of numbers.

    libparted always gives the lowest free number, so a number that shall stay free is taken
    meanwhile by a one-sector partition in the unused first MiB.
    """
    numbers = {part.number for part in plan.partitions}
    fillers = []
    for number in range(1, max(numbers, default=0) + 1):
        planned = next((part for part in plan.partitions if part.number == number), None)
        if planned is not None:
            _add(table, planned)
        elif number < FIRST_LOGICAL:
            fillers.append(_add_filler(table, plan, number))
    for filler in fillers:
        table.deletePartition(filler)


def _add(table: parted.Disk, planned: Planned) -> None:
    kind = parted.PARTITION_NORMAL
    if planned.type == types.EXTENDED:
        kind = parted.PARTITION_EXTENDED
    elif planned.number >= FIRST_LOGICAL:
        kind = parted.PARTITION_LOGICAL
    added = _add_exactly(table, kind, planned.start_sector, planned.size_sectors)
    if added.number != planned.number:
        raise PartitionError(f"Partition {planned.number} would have become number {added.number}.")
    if planned.active:
        added.setFlag(parted.PARTITION_BOOT)


def _add_exactly(table: parted.Disk, kind: int, start: int, length: int) -> parted.Partition:
    geometry = parted.Geometry(device=table.device, start=start, length=length)
    added = parted.Partition(disk=table, type=kind, geometry=geometry)
    table.addPartition(added, constraint=parted.Constraint(exactGeom=geometry))
    return added


def _add_filler(table: parted.Disk, plan: TablePlan, number: int) -> parted.Partition:
    for sector in _spare_sectors(plan, number):
        try:
            filler = _add_exactly(table, parted.PARTITION_NORMAL, sector, 1)
        except _ped.PartitionException:
            continue
        if filler.number == number:
            return filler
    raise PartitionError(
        f"Number {number} cannot stay free in the table of {plan.path}.",
        hint="Number the partitions without gaps.",
    )


def _spare_sectors(plan: TablePlan, number: int) -> Iterator[int]:
    """A sector of its own for this number in each gap that the plan leaves."""
    whole = [part for part in plan.partitions if part.number < FIRST_LOGICAL]
    edges = sorted((part.start_sector, part.end_sector) for part in whole)
    last = plan.disk_size_bytes // plan.sector_bytes - _TABLE_SECTORS
    begins = [_TABLE_SECTORS, *(end for _, end in edges)]
    ends = [*(start for start, _ in edges), last]
    for begin, end in zip(begins, ends, strict=True):
        if begin + number < end:
            yield begin + number


def _msdos_id(plan: TablePlan, first: bytes) -> str:
    """The disk id that the table gets; PARTUUIDs are made from it. ``first``: the disk's sector 0.

    blkid has no word for it where the header of a filesystem stands in front of the table.
    """
    if plan.identity is not None:
        return plan.identity.disk_id
    if plan.new_table:
        return ""
    return mbr.disk_id(first)


def _set_types(plan: TablePlan, path: Path, disk_id: str) -> None:
    quiet = ("--quiet", "--no-reread", "--no-tell-kernel", "--wipe", "never")
    _, written = sfdisk_table(path)
    have = {part.number: part.type_id for part in written}
    for part in plan.partitions:
        if have.get(part.number) != part.type_id:
            run("sfdisk", *quiet, "--part-type", path, str(part.number), part.type_id)
    if disk_id:
        run("sfdisk", *quiet, "--disk-id", path, f"0x{disk_id}")


def _compare(plan: TablePlan, path: Path, read: tuple[TableKind, Sequence[Partition]]) -> None:
    """What sfdisk ``read`` must be what was planned. Names are not asked for: it has its own."""
    table, written = read
    sector = plan.sector_bytes
    found = [
        (part.number, part.start_bytes // sector, part.size_bytes // sector, part.type_id)
        for part in written
    ]
    asked = [
        (part.number, part.start_sector, part.size_sectors, part.type_id)
        for part in plan.partitions
    ]
    if table is not plan.table or found != asked:
        raise PartitionError(
            f"The table of {plan.path} is not as it was planned: sfdisk reads it on {path} as "
            f"{found}, not as {asked}."
        )
