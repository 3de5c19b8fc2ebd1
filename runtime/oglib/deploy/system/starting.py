# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disk starts a system: the one it lies on, or of a volume group the one that holds it."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, DiskKind
from oglib.disk.starts import starters
from oglib.errors import PartitionError


def starting_disk(disk: Disk, disks: Sequence[Disk], firmware: Firmware) -> Disk | None:
    """The disk whose boot code or ESP starts a system on ``disk``; None where that is not sure.

    A volume group has neither. Where several disks hold it, the one that ``firmware`` can start
    something from is meant, if it is the only one. ``disks`` are those of this PC.
    """
    if disk.kind is not DiskKind.LVM:
        return disk
    below = [one for one in disks if one.kind is not DiskKind.LVM and _holds(one, disk.members)]
    able = [
        one
        for one in below
        if firmware in starters(one.table, {part.type for part in one.partitions})
    ]
    found = able if len(below) > 1 else below
    return found[0] if len(found) == 1 else None


def refuse_unsure(disk: Disk, start: Disk | None) -> Disk:
    """The disk that starts the system; PARTITION where it is not sure which."""
    if start is None:
        raise PartitionError(
            f"{disk.describe()} lies on {', '.join(disk.members) or 'no disk that is here'}, and "
            "which of the disks shall start it is not sure.",
            hint="Fit the system without what starts it: name the steps with --step.",
        )
    return start


def _holds(disk: Disk, members: Sequence[str]) -> bool:
    paths = {str(disk.path), *(str(part.path) for part in disk.partitions if part.path)}
    return not paths.isdisjoint(members)
