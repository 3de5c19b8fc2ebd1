# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that find disks and tell about them as a whole; none of them writes.

Sizes are KB of 1024 bytes, sectors are the disk's own (512 or 4096 bytes).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from oglib.disk.model import TableKind
from oglib.disk.tables.gpt import ENTRIES_BYTES
from oglib.disk.type_codes import code_of
from oglib.errors import NotFoundError, PartitionError
from oglib.shim.command import Command
from oglib.shim.target import entry_of, table_of, tables

_KB = 1024
_EFI_CODE = "EF00"
_TAGS = {"LABEL": "label", "UUID": "uuid"}

# The kernel's name of a driver (/proc/devices) in the old engine's words; others are shown as
# they are, in capitals.
_DRIVERS = {"sd": "DISK", "sr": "CDROM", "md": "RAID", "mdp": "RAID", "device-mapper": "MAPPER"}


def _disk_to_dev(words: Sequence[str]) -> str:
    if not words:
        return " ".join(str(disk.path) for disk in tables())
    if len(words) == 1:
        return str(table_of(words[0]).path)
    disk, part = entry_of(*words)
    if part.path is None:
        raise NotFoundError(
            f"Partition {part.number} of {disk.describe()} has no device of its own: "
            "the disk is a file.",
            hint="Work on it by its numbers.",
        )
    return str(part.path)


def _dev_to_disk(words: Sequence[str]) -> str:
    tag, equals, value = words[0].partition("=")
    if equals:
        from oglib.disk.find import find_tagged  # noqa: PLC0415
        from oglib.disk.probe import list_disks  # noqa: PLC0415

        disks = list_disks()
        # a filesystem on a whole disk has no partition to be found by
        bare = [disk for disk in disks if value and getattr(disk, _TAGS.get(tag, ""), "") == value]
        if len(bare) == 1:
            return str(bare[0].number)
        disk, part = find_tagged(words[0], disks)
        return f"{disk.number} {part.number}"
    disks = tables()
    real = Path(words[0]).resolve()
    for disk in disks:
        if disk.path.resolve() == real:
            return str(disk.number)
        for part in disk.partitions:
            if part.path is not None and part.path.resolve() == real:
                return f"{disk.number} {part.number}"
    raise NotFoundError(
        f"{words[0]} is neither a disk nor a partition of this PC.",
        hint=f"Its disks: {' '.join(str(disk.path) for disk in disks) or 'none'}.",
    )


def _disk_size(words: Sequence[str]) -> str:
    return str(table_of(words[0]).size_bytes // _KB)


def _disk_type(words: Sequence[str]) -> str:
    path = Path(words[0])
    try:
        found = path.stat()
    except OSError as error:
        raise NotFoundError(f"{path} is not a device: {error.strerror}.") from error
    if stat.S_ISREG(found.st_mode):
        return "FILE"
    if not stat.S_ISBLK(found.st_mode):
        raise NotFoundError(f"{path} is not a block device.")
    number = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    sysfs = Path("/sys/dev/block", number).resolve()
    if (sysfs / "partition").exists():  # a partition is of the kind of its disk
        sysfs = sysfs.parent
    if sysfs.name.startswith("nvme"):
        return "NVM"
    if "/usb" in str(sysfs):
        return "USB"
    major = (sysfs / "dev").read_text().partition(":")[0]
    driver = drivers_by_major(Path("/proc/devices").read_text()).get(major, "")
    return _DRIVERS.get(driver, driver.upper())


def drivers_by_major(text: str) -> dict[str, str]:
    """``/proc/devices``: two headed lists of major and name; the second is of block devices."""
    rows = (line.split() for line in text.partition("Block devices:")[2].splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def _esp(_words: Sequence[str]) -> str:
    for disk in tables():
        for part in disk.partitions:
            if disk.table is TableKind.GPT and code_of(part, disk.table) == _EFI_CODE:
                return f"{disk.number} {part.number}"
    return ""


def _last_sector(words: Sequence[str]) -> str:
    if len(words) == 2:
        disk, part = entry_of(*words)
        return str(part.end_bytes // disk.logical_sector_bytes - 1)
    disk = table_of(words[0])
    if disk.table is TableKind.GPT:
        import json  # noqa: PLC0415

        from oglib.run import run  # noqa: PLC0415

        said = json.loads(run("sfdisk", "--json", disk.path).stdout)
        return str(said["partitiontable"]["lastlba"])
    if disk.table in (TableKind.LVM, TableKind.ZPOOL):
        raise PartitionError(f"{disk.describe()} has volumes, not sectors for partitions.")
    # as sgdisk tells of such a disk: what stays usable when its table becomes a gpt
    sector = disk.logical_sector_bytes
    return str(disk.size_bytes // sector - ENTRIES_BYTES // sector - 2)


def _table_type(words: Sequence[str]) -> str:
    table = table_of(words[0]).table
    return "UNKNOWN" if table is TableKind.NONE else table.upper()


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogDiskToDev",
            "[DISK [PARTITION]]",
            "prints the device of a disk or partition, or those of all disks",
            _disk_to_dev,
            0,
            2,
            "ogDiskToDev 1 2 → /dev/sda2",
            better="Asked anew each time; the old answer in /var/cache/disks.cfg could be stale.",
        ),
        Command(
            "ogDevToDisk",
            "DEVICE | LABEL=… | UUID=… | PARTLABEL=… | PARTUUID=…",
            "prints the numbers of a disk or partition",
            _dev_to_disk,
            1,
            1,
            "ogDevToDisk /dev/sda2 → 1 2",
            better="A label that two partitions have is refused; the first one was taken.",
        ),
        Command(
            "ogGetDiskSize",
            "DISK",
            "prints the size of a disk in KB (1024 bytes)",
            _disk_size,
            1,
            1,
            "ogGetDiskSize 1 → 244198584",
        ),
        Command(
            "ogGetDiskType",
            "DEVICE",
            "prints what kind of disk a device is (DISK USB NVM CDROM RAID MAPPER or its driver)",
            _disk_type,
            1,
            1,
            "ogGetDiskType /dev/sdb → USB",
        ),
        Command(
            "ogGetEsp",
            "",
            "prints the numbers of the EFI system partition",
            _esp,
            example="ogGetEsp → 1 1",
        ),
        Command(
            "ogGetLastSector",
            "DISK [PARTITION]",
            "prints the last usable sector of a disk, or the last one of a partition",
            _last_sector,
            1,
            2,
            "ogGetLastSector 1 1 → 1026047",
        ),
        Command(
            "ogGetPartitionTableType",
            "DISK",
            "prints the kind of the partition table (MSDOS GPT LVM ZPOOL), UNKNOWN when none",
            _table_type,
            1,
            1,
            "ogGetPartitionTableType 1 → GPT",
        ),
    )
}
