# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the kernel take over a table that was written, and waits until it shows it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from oglib.disk import types
from oglib.disk.planned import Planned, TablePlan
from oglib.errors import OgErr, PartitionError
from oglib.run import run

_BLKRRPART = 0x125F
_REREAD_TRIES = 50
_REREAD_PAUSE_S = 0.1
_NODES_DEADLINE_S = 20.0


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


def settle() -> None:
    """Wait until udev has dealt with what the kernel told it."""
    if Path("/run/udev/control").exists():
        run("udevadm", "settle", "--timeout=20", accept=(0, 1))


def wait_for_nodes(plan: TablePlan) -> None:
    """Wait until every planned partition has its node, at its place and with its size."""
    settle()
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
