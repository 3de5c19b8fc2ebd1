# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a planned partition table, and proves that it is there.

The only owner of ``parted``. libparted before 3.6 cannot set GPT types, so types (and an MBR's
disk id) are set by ``sfdisk``, still before the kernel is told. The disk is held exclusively
and locked meanwhile (udev waits for the lock); what sfdisk then reads back must be the plan.
Old signatures are wiped before the new table is written: after a cut at any point a second
apply finds either the old table or wiped new partitions, never a stale filesystem.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import _ped
import parted

from oglib.disk import types
from oglib.disk.model import MIB, Disk, TableKind
from oglib.disk.plan import Planned, TablePlan
from oglib.disk.probe import probe_signature, probe_target, read_table
from oglib.errors import OgErr, PartitionError
from oglib.run import run

_BLKRRPART = 0x125F
_REREAD_TRIES = 50
_REREAD_PAUSE_S = 0.1
_NODES_DEADLINE_S = 20.0
_FIRST_LOGICAL = 5
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
    disk = probe_target(plan.path)
    _refuse_unless_planned_for(disk, plan)
    with _held(plan.path) as device_fd:
        disk_id = _msdos_id(plan)
        try:
            _write(plan, device_fd)
        except _PARTED_ERRORS as error:
            raise PartitionError(
                f"The partition table of {plan.path} could not be written: {error}."
            ) from error
        _set_types(plan, disk_id)
        os.fsync(device_fd)
        _compare(plan)
        shown = _reread(device_fd, plan.path)
    if shown:
        _wait_for_nodes(plan)
    return probe_target(plan.path)


def node_path(disk_path: Path, number: int) -> Path:
    """The kernel's node of a partition: ``/dev/sda1``, ``/dev/nvme0n1p1``."""
    between = "p" if disk_path.name[-1].isdigit() else ""
    return disk_path.with_name(f"{disk_path.name}{between}{number}")


def _refuse_unless_planned_for(disk: Disk, plan: TablePlan) -> None:
    if disk.in_use:
        raise PartitionError(
            f"{disk.describe()} is in use ({'; '.join(disk.in_use)}), so its partitions "
            "are not changed.",
            hint="Unmount it, switch its swap off, or detach what holds it.",
            code=OgErr.LOCKED,
        )
    if disk.read_only:
        raise PartitionError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)
    _, partitions = read_table(plan.path) if disk.table is not TableKind.NONE else (None, ())
    now = tuple((part.number, part.start_bytes, part.size_bytes) for part in partitions)
    if sorted(now) != sorted(plan.before) or disk.size_bytes != plan.disk_size_bytes:
        raise PartitionError(
            f"{disk.describe()} is not as it was when this was planned.",
            hint="Look at it again and plan anew.",
        )


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """The disk opened exclusively (the kernel refuses that while a partition is in use)."""
    try:
        exclusive = os.O_EXCL if stat.S_ISBLK(path.stat().st_mode) else 0
        device_fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | exclusive)
    except OSError as error:
        busy = error.errno == errno.EBUSY
        raise PartitionError(
            f"{path} cannot be opened for writing: {error.strerror}.",
            hint="Something on this PC uses the disk." if busy else "",
            code=OgErr.LOCKED if busy else OgErr.NOTWRITE,
        ) from error
    try:
        fcntl.flock(device_fd, fcntl.LOCK_EX)
        yield device_fd
    finally:
        os.close(device_fd)


def _write(plan: TablePlan, device_fd: int) -> None:
    device = parted.getDevice(str(plan.path))
    try:
        if plan.new_table or plan.table is TableKind.MSDOS:
            # an msdos table is small and has no identifiers of its own: it is always written anew
            table = parted.freshDisk(device, str(plan.table))
        else:
            table = parted.newDisk(device)
            for number in _leaving(plan):
                table.deletePartition(_numbered(table, number))
        _add_all(table, plan)
        _wipe(plan, device_fd)
        table.commitToDevice()
    finally:
        # libparted remembers devices by path; a loop device is another disk next time
        device.removeFromCache()


def _leaving(plan: TablePlan) -> list[int]:
    """Entries of the table as found that must go, those to be written anew included."""
    stays = {part.number for part in plan.partitions if not part.fresh}
    return [number for number, _, _ in plan.before if number not in stays]


def _add_all(table: parted.Disk, plan: TablePlan) -> None:
    """Add what is missing in the order of numbers.

    libparted always gives the lowest free number, so a number that shall stay free is taken
    meanwhile by a one-sector partition in the unused first MiB.
    """
    present = {part.number for part in table.partitions}
    numbers = {part.number for part in plan.partitions}
    fillers = []
    for number in range(1, max(numbers, default=0) + 1):
        planned = next((part for part in plan.partitions if part.number == number), None)
        if number in present:
            _name(table, planned)
        elif planned is not None:
            _add(table, planned)
            _name(table, planned)
        elif plan.table is TableKind.GPT or number < _FIRST_LOGICAL:
            fillers.append(_add_filler(table, plan, number))
    for filler in fillers:
        table.deletePartition(filler)


def _add(table: parted.Disk, planned: Planned) -> None:
    kind = parted.PARTITION_NORMAL
    if planned.type == types.EXTENDED:
        kind = parted.PARTITION_EXTENDED
    elif table.type == "msdos" and planned.number >= _FIRST_LOGICAL:
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
    end = min([MIB // plan.sector_bytes, *(part.start_sector for part in plan.partitions)])
    for region in table.getFreeSpaceRegions():
        start = max(region.start, 1)
        # parted reports the whole gap, the table's own sectors at its beginning included
        start = max(start, 64)
        if start < end and region.end >= start:
            filler = _add_exactly(table, parted.PARTITION_NORMAL, start + number, 1)
            if filler.number == number:
                return filler
    raise PartitionError(
        f"Number {number} cannot stay free in the table of {plan.path}.",
        hint="Number the partitions without gaps.",
    )


def _numbered(table: parted.Disk, number: int) -> parted.Partition:
    return next(part for part in table.partitions if part.number == number)


def _name(table: parted.Disk, planned: Planned | None) -> None:
    if planned is not None and table.type == "gpt":
        part = _numbered(table, planned.number)
        if part.get_name() != planned.name:
            part.set_name(planned.name)


def _wipe(plan: TablePlan, device_fd: int) -> None:
    """Zero where signatures live: both ends of each new partition, of the disk if it is new."""
    sector = plan.sector_bytes
    for part in plan.partitions:
        if part.fresh and part.type != types.EXTENDED:
            _zero_ends(device_fd, part.start_sector * sector, part.end_sector * sector)
    if plan.new_table:
        stay = [part for part in plan.partitions if not part.fresh]
        first = min((part.start_sector * sector for part in stay), default=plan.disk_size_bytes)
        last = max((part.end_sector * sector for part in stay), default=0)
        _zero(device_fd, 0, min(MIB, first))
        _zero(device_fd, max(plan.disk_size_bytes - MIB, last), plan.disk_size_bytes)
    os.fsync(device_fd)


def _zero_ends(device_fd: int, start: int, end: int) -> None:
    _zero(device_fd, start, min(start + MIB, end))
    _zero(device_fd, max(end - MIB, start), end)


def _zero(device_fd: int, start: int, end: int) -> None:
    while start < end:
        start += os.pwrite(device_fd, bytes(min(MIB, end - start)), start)


def _msdos_id(plan: TablePlan) -> str:
    """The disk id that an msdos table has now; PARTUUIDs are made from it."""
    if plan.table is not TableKind.MSDOS or plan.new_table:
        return ""
    return probe_signature(plan.path).get("PTUUID", "")


def _set_types(plan: TablePlan, disk_id: str) -> None:
    quiet = ("--quiet", "--no-reread", "--no-tell-kernel", "--wipe", "never")
    _, written = read_table(plan.path)
    have = {part.number: part.type_id for part in written}
    for part in plan.partitions:
        if part.type != types.EXTENDED and have.get(part.number) != part.type_id:
            run("sfdisk", *quiet, "--part-type", plan.path, str(part.number), part.type_id)
    if disk_id:
        run("sfdisk", *quiet, "--disk-id", plan.path, f"0x{disk_id}")


def _compare(plan: TablePlan) -> None:
    table, written = read_table(plan.path)
    sector = plan.sector_bytes
    found = [
        (part.number, part.start_bytes // sector, part.size_bytes // sector, part.type, part.name)
        for part in written
    ]
    asked = [
        (part.number, part.start_sector, part.size_sectors, part.type, part.name)
        for part in plan.partitions
    ]
    if table is not plan.table or found != asked:
        raise PartitionError(
            f"The table of {plan.path} was written, but it reads back as {found}, not as {asked}.",
            hint="The disk may be failing; look at the kernel's log.",
        )


def _reread(device_fd: int, path: Path) -> bool:
    """Have the kernel read the table again; False where it shows no partitions (files)."""
    if not stat.S_ISBLK(os.fstat(device_fd).st_mode):
        return False
    for _ in range(_REREAD_TRIES):
        try:
            fcntl.ioctl(device_fd, _BLKRRPART)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return False  # a loop device without partition scanning
            if error.errno != errno.EBUSY:
                raise PartitionError(
                    f"The kernel cannot read the new table of {path}: {error.strerror}."
                ) from error
            time.sleep(_REREAD_PAUSE_S)  # a prober still has one of the old partitions open
        else:
            return True
    raise PartitionError(
        f"The new table of {path} is written, but the kernel still uses the old one.",
        hint="Find what uses the disk, or restart this PC.",
        code=OgErr.LOCKED,
    )


def _wait_for_nodes(plan: TablePlan) -> None:
    if Path("/run/udev/control").exists():
        run("udevadm", "settle", "--timeout=20", accept=(0, 1))
    deadline = time.monotonic() + _NODES_DEADLINE_S
    waiting: Sequence[Planned] = plan.partitions
    while waiting := [part for part in waiting if not _shown(plan, part)]:
        if time.monotonic() > deadline:
            raise PartitionError(
                f"The kernel does not show partition {waiting[0].number} of {plan.path} "
                "as it was written."
            )
        time.sleep(_REREAD_PAUSE_S)


def _shown(plan: TablePlan, part: Planned) -> bool:
    node = node_path(plan.path.resolve(), part.number)
    sysfs = Path("/sys/class/block") / node.name
    with suppress(OSError, ValueError):
        start = int((sysfs / "start").read_text()) * 512
        size = int((sysfs / "size").read_text()) * 512
        same_size = part.type == types.EXTENDED or size == part.size_sectors * plan.sector_bytes
        return node.exists() and start == part.start_sector * plan.sector_bytes and same_size
    return False
