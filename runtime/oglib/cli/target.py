# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is shown of a disk before its data are lost: model, size, present systems."""

from __future__ import annotations

from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import OgErr, OgError
from oglib.filesystem.mount import mounted
from oglib.osconfig.linux import detect_linux
from oglib.osconfig.root import TargetRoot
from oglib.progress import human_bytes

# Filesystems that can carry a Linux; others are not mounted for a mere listing.
_LINUX_ROOTS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs")


def system_on(disk: Disk, part: Partition) -> str:
    """The system on a partition as its own os-release says; empty where none is found."""
    if part.filesystem not in _LINUX_ROOTS or part.mountpoints:
        return ""
    try:
        with (
            partition_device(disk, part) as device,
            mounted(device, kind=part.filesystem) as point,
            TargetRoot(point) as root,
        ):
            found = detect_linux(root)
    except OgError as error:
        if error.code not in (OgErr.FILESYS, OgErr.NOTEXEC):
            raise
        return ""  # a listing goes on where one filesystem cannot be read
    return found.pretty_name if found else ""


def facts_of(disk: Disk, only: Partition | None = None) -> list[str]:
    """The disk and what is on it, a line each."""
    lines = [disk.describe() + (f", serial {disk.serial}" if disk.serial else "")]
    for part in [only] if only else disk.partitions:
        words = (part.type, human_bytes(part.size_bytes), part.filesystem, part.label)
        line = f"partition {part.number}: {' '.join(word for word in words if word)}"
        system = system_on(disk, part)
        lines.append(f"{line}, {system}" if system else line)
    return lines
