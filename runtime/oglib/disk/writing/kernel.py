# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the kernel take over a table that was written, and waits until it shows it.

The partitions of a multipath map are maps themselves, which the kernel neither makes nor takes
away: ``kpartx`` does, here as in multipath's own udev rules.
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
from typing import TYPE_CHECKING

from oglib.disk import types
from oglib.disk.model import Disk, DiskKind
from oglib.errors import OgErr, PartitionError, ProcessError
from oglib.kernel.udev import settle
from oglib.run import run

if TYPE_CHECKING:  # who only lists disks plans nothing, and must start fast
    from oglib.disk.planning.planned import PlannedPartition, TablePlan

_BLKRRPART = 0x125F
_REREAD_TRIES = 50
_REREAD_PAUSE_S = 0.1
_NODES_DEADLINE_S = 20.0
_KPARTX_NAMES = ("-p", "-part")  # /dev/mapper/mpatha-part1, as multipath's udev rules call it


def node_path(disk_path: Path, number: int) -> Path:
    """The kernel's node of a partition: ``/dev/sda1``, ``/dev/nvme0n1p1``."""
    between = "p" if disk_path.name[-1].isdigit() else ""
    return disk_path.with_name(f"{disk_path.name}{between}{number}")


def reread(device_fd: int, path: Path) -> bool:
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


@contextmanager
def without_maps(disk: Disk) -> Iterator[None]:
    """A multipath map without the maps of its partitions; they come back as its table then is.

    While they are there they hold the disk, and one that stayed would lead to where its partition
    was before. Other disks are left alone.
    """
    if disk.kind is not DiskKind.MULTIPATH:
        yield
        return
    try:
        run("kpartx", "-d", disk.path)
    except ProcessError as error:
        raise PartitionError(
            f"{disk.describe()} is not changed: {error.message}",
            hint="Something uses one of its partitions.",
            code=OgErr.LOCKED,
        ) from error
    try:
        yield
    except BaseException:
        with suppress(PartitionError):  # the first error is the one to tell
            _make_maps(disk)
        raise
    _make_maps(disk)


def _make_maps(disk: Disk) -> None:
    settle()  # udev may be making them as well
    try:
        run("kpartx", "-u", *_KPARTX_NAMES, disk.path)
    except ProcessError as error:
        raise PartitionError(
            f"The kernel does not show the partitions of {disk.describe()}: {error.message}",
            hint="Restart this PC; what is written on the disk stays.",
        ) from error


def wait_for_nodes(plan: TablePlan) -> None:
    """Wait until every planned partition has its node, at its place and with its size."""
    settle()
    deadline = time.monotonic() + _NODES_DEADLINE_S
    waiting: Sequence[PlannedPartition] = plan.partitions
    while waiting := [part for part in waiting if not _shown(plan, part)]:
        if time.monotonic() > deadline:
            raise PartitionError(
                f"The kernel does not show partition {waiting[0].number} of {plan.path} "
                "as it was written."
            )
        time.sleep(_REREAD_PAUSE_S)


def _shown(plan: TablePlan, part: PlannedPartition) -> bool:
    node = node_path(plan.path.resolve(), part.number)
    sysfs = Path("/sys/class/block") / node.name
    with suppress(OSError, ValueError):
        start = int((sysfs / "start").read_text()) * 512
        size = int((sysfs / "size").read_text()) * 512
        same_size = part.type == types.EXTENDED or size == part.size_sectors * plan.sector_bytes
        return node.exists() and start == part.start_sector * plan.sector_bytes and same_size
    return False
