# SPDX-License-Identifier: GPL-3.0-or-later
"""The filesystems of this PC by the names that a system's files may give them; reads only."""

from __future__ import annotations

from collections.abc import Iterator

from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, DiskKind, Partition
from oglib.disk.probe import list_disks
from oglib.disk.types import EXTENDED
from oglib.filesystem.probe import probe_filesystem
from oglib.fitting.devices import Known


def known_on(disk: Disk) -> dict[int, Known]:
    """What is on its partitions, by number, as it is now: what was found earlier may be older."""
    return {part.number: _known(disk, part) for part in disk.partitions if part.type != EXTENDED}


def elsewhere(disk: Disk) -> Iterator[tuple[Disk, Partition, Known]]:
    """Those of the other disks of this PC, as they were found; of a file there are none.

    Nothing of them is written before, so what udev remembers of them is as good as a look.
    """
    for other in list_disks() if disk.number else ():
        if other.path == disk.path:
            continue
        for part in other.partitions:
            yield other, part, _named(other, part, part.filesystem, part.uuid, part.label)


def nodes_of(disk: Disk, part: Partition) -> tuple[str, ...]:
    """What a volume is called: ``/dev/vg/lv`` and ``/dev/mapper/vg-lv``; nothing for a partition.

    The device mapper doubles a ``-`` inside of a name.
    """
    if disk.kind is not DiskKind.LVM:
        return ()
    names = (disk.path.name, part.name)
    mapped = "-".join(one.replace("-", "--") for one in names)
    return "/dev/" + "/".join(names), f"/dev/mapper/{mapped}"


def _known(disk: Disk, part: Partition) -> Known:
    with partition_device(disk, part) as device:
        info = probe_filesystem(device)
    return _named(disk, part, info.kind, info.uuid, info.label, number=part.number)


def _named(
    disk: Disk, part: Partition, kind: str, uuid: str, label: str, *, number: int = 0
) -> Known:
    if nodes := nodes_of(disk, part):
        return Known(kind, uuid, label, nodes=nodes)  # a volume has no place in a table
    return Known(kind, uuid, label, part.partuuid, part.name, number)
