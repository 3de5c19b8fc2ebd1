# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole machines as lsblk prints them: which disks there are, their numbers and their use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from oglib.disk.model import MIB, Disk, DiskKind, TableKind
from oglib.disk.probing.lsblk import parse_lsblk
from oglib.disk.probing.lvm import parse_groups
from oglib.disk.probing.virtual import parse_sfdisk

MACHINES = Path(__file__).parent / "machines"
Machine = Callable[[str], tuple[Disk, ...]]
GIB = 1024**3


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("nvme-and-sata", "sda nvme0n1"),
        ("two-equal-models", "sda sdb"),
        ("multipath", "sdc mapper/mpatha"),
        # the live medium is left out, an empty card reader as well
        ("usb-first-4kn-lvm", "sdb vda"),
        ("usb-first-empty", "sda sdc nvme0n1"),
        ("no-disks", ""),
        ("lvm", "sda sdb sdc backup vg-data"),
        # disks, maps, arrays; the disks in an array keep the numbers that OpenGnsys gave them
        ("server", "sdb sdd nvme0n1 nvme1n1 mapper/mpatha md0 md127"),
        ("emmc", "mmcblk0 mmcblk1"),
        ("same-serial-damaged", "sda sdb sdc"),
    ],
)
def test_which_disks_in_which_order(machine: Machine, name: str, paths: str) -> None:
    found = machine(name)
    assert [str(disk.path) for disk in found] == [f"/dev/{path}" for path in paths.split()]
    assert [disk.number for disk in found] == list(range(1, len(found) + 1))


def test_a_pc_with_sata_and_nvme(machine: Machine) -> None:
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


def test_numbers_follow_major_and_minor_whatever_the_order_of_the_listing(machine: Machine) -> None:
    first, second = machine("two-equal-models")
    assert (first.number, str(first.path)) == (1, "/dev/sda")
    assert (second.number, str(second.path)) == (2, "/dev/sdb")


def test_a_multipath_map_is_one_disk_behind_the_others(machine: Machine) -> None:
    solo, multi = machine("multipath")
    assert str(solo.path) == "/dev/sdc"
    assert (multi.number, str(multi.path)) == (2, "/dev/mapper/mpatha")
    assert [str(part.path) for part in multi.partitions] == ["/dev/mapper/mpatha-part1"]
    assert multi.partitions[0].number == 1
    # what all paths say of the disk behind them holds for the map
    assert (multi.kind, multi.wwn) == (DiskKind.MULTIPATH, "0x6000000000000001")
    assert (multi.model, multi.serial, multi.transport) == ("VIRTUAL-DISK", "beaf11", "iscsi")
    assert multi.members == ("/dev/sda", "/dev/sdb")
    assert multi.table is TableKind.GPT


def test_the_live_medium_is_not_a_disk_and_lvm_is_in_use(machine: Machine) -> None:
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


def test_a_pc_without_disks(machine: Machine) -> None:
    assert machine("no-disks") == ()


def test_a_volume_group_is_a_disk_and_its_volumes_are_partitions(machine: Machine) -> None:
    sda, sdb, _, backup, data = machine("lvm")
    assert sda.partitions[1].use == (
        "holds /dev/mapper/vg--data-home--all",
        "holds /dev/mapper/vg--data-swap",
        "holds /dev/mapper/vg--data-root",
    )
    assert (sdb.filesystem, sdb.in_use) == (
        "LVM2_member",
        ("holds /dev/mapper/vg--data-home--all",),
    )
    assert (data.kind, data.table, data.members) == (
        DiskKind.LVM,
        TableKind.LVM,
        ("/dev/sda2", "/dev/sdb"),
    )
    # in the order of lvs; one that is not active is there all the same
    assert [
        (part.number, part.name, str(part.path), part.type, part.filesystem)
        for part in data.partitions
    ] == [
        (1, "home-all", "/dev/vg-data/home-all", "LVM-LV", "ext4"),
        (2, "old", "/dev/vg-data/old", "LVM-LV", ""),
        (3, "root", "/dev/vg-data/root", "LVM-LV", "xfs"),
        (4, "swap", "/dev/vg-data/swap", "LVM-LV", "swap"),
    ]
    assert data.partitions[0].label == "home"
    assert data.partitions[1].size_bytes == 4 * GIB
    assert data.in_use == ("partition 3: mounted on /mnt",)
    assert data.damage == ()
    assert backup.partitions == ()
    assert backup.damage == ("1 of its 2 physical volumes are missing.",)


def test_two_volume_groups_of_one_name_are_not_mixed() -> None:
    """Two disks of PCs that were installed alike, both in this one."""
    groups = [
        {
            "vg_name": "ubuntu-vg",
            "vg_uuid": uuid,
            "vg_size": "4194304",
            "pv_name": f"/dev/sd{uuid}3",
        }
        for uuid in "ab"
    ]
    volumes = [
        {"vg_name": "ubuntu-vg", "vg_uuid": uuid, "lv_name": "lv", "lv_uuid": uuid, "lv_size": "1"}
        for uuid in "ab"
    ]
    found = parse_groups(
        json.dumps({"report": [{"vg": groups}]}), json.dumps({"report": [{"lv": volumes}]})
    )
    assert [(group.uuid, group.members, group.volumes) for group in found] == [
        ("a", ("/dev/sda3",), ()),
        ("b", ("/dev/sdb3",), ()),
    ]
    assert all("same name" in group.damage[0] for group in found)


def test_no_volume_groups() -> None:
    assert parse_groups('{"report": [{"vg": []}]}', '{"report": [{"lv": []}]}') == ()


def test_arrays_come_last_with_their_uuid(machine: Machine) -> None:
    *_, san, whole, mirror = machine("server")
    assert (san.transport, san.wwn) == ("fc", "0x600c0ff0003c1f2a0a1b2c5f01000000")
    assert (whole.kind, whole.model, whole.members) == (
        DiskKind.MD,
        "raid0",
        ("/dev/sdb", "/dev/sdd"),
    )
    assert (whole.table, whole.filesystem, whole.label) == (TableKind.NONE, "ext4", "scratch")
    assert whole.serial == "12345678-aaaa-bbbb-cccc-000000000000"
    # lsblk calls a partition of an array "md"
    assert [(part.number, str(part.path)) for part in mirror.partitions] == [(1, "/dev/md127p1")]
    assert mirror.use == ()
    assert mirror.members == ("/dev/nvme0n1p2", "/dev/nvme1n1p2")


def test_a_disk_in_an_array_is_in_use(machine: Machine) -> None:
    sata, _, nvme, *_ = machine("server")
    assert sata.in_use == ("holds /dev/md0",)
    assert nvme.in_use == ("partition 2: holds /dev/md127",)
    assert (nvme.logical_sector_bytes, nvme.partitions[0].start_bytes) == (4096, MIB)


def test_an_emmc_without_its_boot_areas_and_a_card(machine: Machine) -> None:
    emmc, card = machine("emmc")
    assert (emmc.transport, emmc.removable, emmc.serial) == ("mmc", False, "0x4f2c91ab")
    assert [str(part.path) for part in emmc.partitions] == ["/dev/mmcblk0p1", "/dev/mmcblk0p2"]
    assert emmc.partitions[1].filesystem == "BitLocker"
    assert card.removable


def test_a_damaged_table_is_listed_and_zfs_is_recognised(machine: Machine) -> None:
    bad, hybrid, zfs = machine("same-serial-damaged")
    assert (bad.table, bad.partitions) == (TableKind.NONE, ())
    assert (hybrid.read_only, hybrid.partitions[0].type) == (True, "GPT")
    assert (zfs.partitions[0].type, zfs.partitions[0].filesystem) == ("SOLARIS", "zfs_member")


def test_without_blkinfo_the_types_of_lsblk_serve(machine: Machine) -> None:
    from_lsblk = (MACHINES / "server.json").read_text()
    assert parse_lsblk(from_lsblk, None) == machine("server")


def test_our_own_mounts_do_not_make_a_disk_a_live_medium() -> None:
    """Only where the first stage keeps the system is one; og mounts below /run/oglive/mnt."""
    text = (MACHINES / "nvme-and-sata.json").read_text()
    own = text.replace("/opt/opengnsys/cache", "/run/oglive/mnt/x1")
    assert [disk.number for disk in parse_lsblk(own, None)] == [1, 2]
    live = text.replace("/opt/opengnsys/cache", "/run/initramfs/oglive/medium")
    assert [str(disk.path) for disk in parse_lsblk(live, None)] == ["/dev/nvme0n1"]


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
