# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the tools write a planned msdos table on a draft; the only owner of ``parted``.

Types and the disk id are set by ``sfdisk``. Imported only where such a table is made: libparted
starts a shell when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import _ped
import parted

from oglib.disk import types
from oglib.disk.planning.planned import FIRST_LOGICAL, PlannedPartition, TablePlan
from oglib.disk.probing.virtual import sfdisk_table
from oglib.disk.tables import mbr
from oglib.disk.writing.draft import compare
from oglib.errors import PartitionError
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


def draft(plan: TablePlan, path: Path, first: bytes) -> None:
    """Have the tools write the planned msdos table on a draft, and compare what they wrote.

    ``first`` is the disk's sector 0 as it is.
    """
    try:
        _edit(plan, path)
    except _PARTED_ERRORS as error:
        raise PartitionError(
            f"The partition table of {plan.path} could not be made: {error}."
        ) from error
    _set_types(plan, path, _msdos_id(plan, first))
    compare(plan, path, sfdisk_table(path))


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


def _add(table: parted.Disk, planned: PlannedPartition) -> None:
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
    """The disk id that the table gets; PARTUUIDs are made from it.

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
