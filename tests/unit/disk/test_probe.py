# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole machines as lsblk prints them: which disks there are, their numbers and their use.

The files in ``machines/`` have lsblk's shape with the columns of ``probe.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.disk.find import find_disk, find_partition, find_tagged
from oglib.disk.model import Disk, TableKind
from oglib.disk.probe import parse_lsblk, parse_sfdisk
from oglib.errors import NotFoundError

MACHINES = Path(__file__).parent / "machines"
# what blkinfo calls disks in each of them; it hides the members of a multipath map
DISKS = {
    "nvme-and-sata": ["sda", "sr0", "zram0", "nvme0n1"],
    "two-equal-models": ["sdb", "sda"],
    "multipath": ["mpatha", "sdc"],
    "usb-first-4kn-lvm": ["sda", "sdb", "vda"],
    "no-disks": ["zram0"],
}


def machine(name: str) -> tuple[Disk, ...]:
    return parse_lsblk((MACHINES / f"{name}.json").read_text(), DISKS[name])


def test_a_pc_with_sata_and_nvme() -> None:
    sata, nvme = machine("nvme-and-sata")
    assert (sata.number, str(sata.path), sata.transport) == (1, "/dev/sda", "sata")
    assert (nvme.number, str(nvme.path), nvme.transport) == (2, "/dev/nvme0n1", "nvme")
    assert (sata.logical_sector_bytes, sata.physical_sector_bytes) == (512, 4096)
    assert (sata.table, nvme.table) == (TableKind.MSDOS, TableKind.GPT)
    assert nvme.model == "Samsung SSD 980 PRO 512GB"
    assert nvme.wwn == "eui.002538b121b0e1f2"
    assert [(part.number, part.type, part.type_id) for part in sata.partitions] == [
        (1, "NTFS", "07"),
        (4, "CACHE", "ca"),
    ]
    assert [part.type for part in nvme.partitions] == [
        "EFI",
        "WIN-RESERV",
        "LINUX",
        "LINUX-SWAP",
    ]
    windows = sata.partitions[0]
    assert windows.active
    assert windows.start_bytes == 1024**2
    assert (windows.filesystem, windows.label) == ("ntfs", "Windows")
    assert sata.in_use == ("partition 4: mounted on /opt/opengnsys/cache",)
    assert nvme.in_use == ("partition 4: active swap",)


def test_numbers_follow_major_and_minor_whatever_the_order_of_the_listing() -> None:
    first, second = machine("two-equal-models")
    assert (first.number, str(first.path)) == (1, "/dev/sda")
    assert (second.number, str(second.path)) == (2, "/dev/sdb")


def test_a_multipath_map_is_one_disk_behind_the_others() -> None:
    solo, multi = machine("multipath")
    assert str(solo.path) == "/dev/sdc"
    assert (multi.number, str(multi.path)) == (2, "/dev/mapper/mpatha")
    assert [str(part.path) for part in multi.partitions] == ["/dev/mapper/mpatha-part1"]
    assert multi.partitions[0].number == 1


def test_the_live_medium_is_not_a_disk_and_lvm_is_in_use() -> None:
    big, bare = machine("usb-first-4kn-lvm")
    assert (big.number, big.logical_sector_bytes, big.transport) == (1, 4096, "sas")
    assert big.partitions[0].type == "LINUX-LVM"
    # lsblk counts 512-byte units on a disk of 4096-byte sectors, too
    assert big.partitions[0].start_bytes == 1024**2
    assert big.in_use == ("partition 1: holds /dev/mapper/vg0-root",)
    assert (bare.transport, bare.table, bare.filesystem, bare.label) == (
        "virtio",
        TableKind.NONE,
        "ext4",
        "bare",
    )


def test_a_pc_without_disks() -> None:
    assert machine("no-disks") == ()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("1", "/dev/sda"),
        ("2", "/dev/nvme0n1"),
        ("/dev/nvme0n1", "/dev/nvme0n1"),
        ("S5GXNX0R123456", "/dev/nvme0n1"),
        ("zn1abcde", "/dev/sda"),
        ("0x5000c500a1b2c3d4", "/dev/sda"),
        ("wwn-0x5000C500A1B2C3D4", "/dev/sda"),
        ("eui.002538b121b0e1f2", "/dev/nvme0n1"),
        ("LABEL=Windows", "/dev/sda"),
        ("PARTUUID=AAAAAAAA-0000-4000-8000-000000000003", "/dev/nvme0n1"),
        ("PARTLABEL=EFI system partition", "/dev/nvme0n1"),
        ("UUID=1234-abcd", "/dev/nvme0n1"),
    ],
)
def test_the_names_of_a_disk(spec: str, path: str) -> None:
    assert str(find_disk(spec, machine("nvme-and-sata")).path) == path


@pytest.mark.parametrize("spec", ["3", "0", "S5GXNX0R12345", "LABEL=windows", "LABEL=", "/dev/sdx"])
def test_a_name_that_fits_nothing_is_refused_with_the_candidates(spec: str) -> None:
    with pytest.raises(NotFoundError, match=r"/dev/sda .*/dev/nvme0n1"):
        find_disk(spec, machine("nvme-and-sata"))


def test_a_partition_is_not_taken_for_a_disk() -> None:
    with pytest.raises(NotFoundError, match=r"is partition 3 of /dev/nvme0n1.*disk"):
        find_disk("/dev/nvme0n1p3", machine("nvme-and-sata"))


def test_a_label_that_two_partitions_have_is_ambiguous() -> None:
    with pytest.raises(NotFoundError, match="ambiguous: partitions 1 of /dev/sda, 1 of /dev/sdb"):
        find_disk("LABEL=DATA", machine("two-equal-models"))


def test_the_names_of_a_partition() -> None:
    disk = machine("nvme-and-sata")[1]
    assert find_partition(disk, 3).label == "root"
    assert find_partition(disk, "3").number == 3
    assert find_partition(disk, "LABEL=root").number == 3
    assert find_partition(disk, "/dev/nvme0n1p3").number == 3
    with pytest.raises(NotFoundError, match=r"has no partition 5.*1 \(EFI\)"):
        find_partition(disk, 5)
    assert find_tagged("LABEL=CACHE", machine("nvme-and-sata"))[1].number == 4


def test_sfdisk_of_a_4k_disk() -> None:
    table, partitions = parse_sfdisk(
        """{"partitiontable": {"label": "gpt", "id": "A6791FAC-5645-4823-9B1B-BF0FA718A40F",
        "device": "/dev/loop0", "unit": "sectors", "firstlba": 6, "lastlba": 2097146,
        "sectorsize": 4096, "partitions": [
        {"node": "/dev/loop0p7", "start": 1677568, "size": 419328,
         "type": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
         "uuid": "8A080F74-BF21-44A6-B7AF-056229DD3B63", "name": "CACHE"},
        {"node": "/dev/loop0p1", "start": 256, "size": 65536,
         "type": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
         "uuid": "18441565-C731-46DD-A610-937EB112F71A"}]}}"""
    )
    assert table is TableKind.GPT
    assert [(part.number, part.type, part.start_bytes) for part in partitions] == [
        (1, "EFI", 1024**2),
        (7, "CACHE", 1677568 * 4096),
    ]


def test_sfdisk_of_an_msdos_disk_gives_the_partuuids_of_the_kernel() -> None:
    table, partitions = parse_sfdisk(
        """{"partitiontable": {"label": "dos", "id": "0xd48408d5", "device": "a",
        "unit": "sectors", "sectorsize": 512, "partitions": [
        {"node": "a1", "start": 2048, "size": 40960, "type": "7", "bootable": true},
        {"node": "a5", "start": 45056, "size": 20480, "type": "82"}]}}"""
    )
    assert table is TableKind.MSDOS
    assert [(part.partuuid, part.type, part.active) for part in partitions] == [
        ("d48408d5-01", "NTFS", True),
        ("d48408d5-05", "LINUX-SWAP", False),
    ]
