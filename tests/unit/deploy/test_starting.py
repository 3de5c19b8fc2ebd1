# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disk starts a system that lies on a volume group."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.deploy.system.starting import refuse_unsure, starting_disk
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, DiskKind, Partition, TableKind
from oglib.errors import PartitionError
from oglib.osconfig.filesystems import nodes_of

VOLUME = Partition(1, 0, 1 << 30, "LVM-LV", "10000", path=Path("/dev/my-vg/root"), name="root")


def disk(letter: str, *types: str, table: TableKind = TableKind.GPT) -> Disk:
    parts = tuple(
        Partition(n, n << 20, 1 << 20, kind, "x", path=Path(f"/dev/sd{letter}{n}"))
        for n, kind in enumerate(types, start=1)
    )
    return Disk(1, Path(f"/dev/sd{letter}"), 1 << 40, table, parts)


def group(*members: str) -> Disk:
    return Disk(
        9, Path("/dev/my-vg"), 1 << 40, TableKind.LVM, (VOLUME,), kind=DiskKind.LVM, members=members
    )


PLAIN, OTHER = disk("a", "BIOS-BOOT", "LINUX-LVM"), disk("b", "LINUX-LVM")
WITH_ESP = disk("c", "EFI", "LINUX-LVM")
BARE = Disk(4, Path("/dev/sdd"), 1 << 40, TableKind.NONE)


@pytest.mark.parametrize(
    ("members", "firmware", "found"),
    [
        (["/dev/sda2"], Firmware.BIOS, PLAIN),
        (["/dev/sda2"], Firmware.UEFI, PLAIN),  # which is refused in words of its own
        (["/dev/sda2", "/dev/sdb1"], Firmware.BIOS, PLAIN),
        (["/dev/sda2", "/dev/sdc2"], Firmware.UEFI, WITH_ESP),
        (["/dev/sdb1", "/dev/sdd"], Firmware.BIOS, None),
        (["/dev/sdd"], Firmware.BIOS, BARE),
        ([], Firmware.BIOS, None),
    ],
)
def test_the_disk_that_holds_the_group(
    members: list[str], firmware: Firmware, found: Disk | None
) -> None:
    volumes = group(*members)
    disks = [PLAIN, OTHER, WITH_ESP, BARE, volumes]
    assert starting_disk(volumes, disks, firmware) == found
    if found is None:
        with pytest.raises(PartitionError, match="which of the disks shall start it"):
            refuse_unsure(volumes, found)


def test_any_other_disk_starts_itself() -> None:
    assert starting_disk(OTHER, (), Firmware.UEFI) is OTHER


def test_what_a_volume_is_called() -> None:
    assert nodes_of(group(), VOLUME) == ("/dev/my-vg/root", "/dev/mapper/my--vg-root")
    assert nodes_of(PLAIN, PLAIN.partitions[1]) == ()
