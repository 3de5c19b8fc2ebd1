# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks and partitions as the old commands name them: by number."""

from __future__ import annotations

from oglib.disk.find import find_disk, find_partition
from oglib.disk.model import Disk, Partition
from oglib.shim.command import positive


def disk_of(number: str) -> Disk:
    """Disk ``number``; OG_ERR_FORMAT when that is no number, OG_ERR_NOTFOUND when none has it."""
    return find_disk(str(positive(number, "The disk")))


def partition_of(disk_number: str, number: str) -> tuple[Disk, Partition]:
    """A partition with its disk; the same errors."""
    disk = disk_of(disk_number)
    return disk, find_partition(disk, positive(number, "The partition"))
