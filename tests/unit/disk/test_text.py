# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks as ``og disk list`` and ``og disk show`` print them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from oglib.disk.model import Disk
from oglib.views.disks import details, listing

Machine = Callable[[str], tuple[Disk, ...]]


def nothing(disk: Disk) -> Mapping[int, str]:
    return {part.number: "" for part in disk.partitions}


def test_a_listing(machine: Machine) -> None:
    _, nvme = machine("nvme-and-sata")
    assert listing(nvme, {**nothing(nvme), 3: "Debian GNU/Linux 13 (trixie)"}) == (
        "disk 2  /dev/nvme0n1  476.9 GiB  nvme  gpt\n"
        "        Samsung SSD 980 PRO 512GB  serial S5GXNX0R123456\n"
        "  1  EFI         512.0 MiB  vfat  EFI system part…\n"
        "  2  WIN-RESERV  16.0 MiB   -     Microsoft reser…\n"
        "  3  LINUX       200.0 GiB  ext4  root              Debian GNU/Linux 13 (trixie)\n"
        "  4  LINUX-SWAP  8.0 GiB    swap  -                 [SWAP]"
    )


def test_damage_and_what_else_to_know_is_said(machine: Machine) -> None:
    _, hybrid, _ = machine("same-serial-damaged")
    damaged = replace(hybrid, damage=(f"This is what is wrong with it: {'x ' * 40}.",))
    lines = listing(damaged, nothing(damaged)).splitlines()
    assert lines[1].endswith("read-only")
    assert lines[2].startswith("  damaged: This is what is wrong")
    assert lines[3].startswith("    x ")


@pytest.mark.parametrize(
    "name",
    ["nvme-and-sata", "multipath", "usb-first-4kn-lvm", "usb-first-empty", "lvm", "server", "emmc"],
)
def test_a_listing_fits_the_screen(machine: Machine, name: str) -> None:
    for disk in machine(name):
        systems = {
            part.number: "a system with a very long name of its own" for part in disk.partitions
        }
        lines = listing(disk, systems).splitlines()
        assert len(lines) >= 2 + len(disk.partitions)
        assert max(len(line) for line in lines) <= 80


def test_one_disk_with_everything(machine: Machine) -> None:
    sata, _ = machine("nvme-and-sata")
    said = details(sata, {1: "Windows 11 Pro", 4: ""})
    for words in (
        "saved as   1@ZN1ABCDE",
        "wwn        0x5000c500a1b2c3d4",
        "size       931.5 GiB (1000204886016 bytes)",
        "sectors    512 B, physical 4096 B",
        "active      yes",
        "partuuid    1a2b3c4d-01",
        "system      Windows 11 Pro",
        "in use      mounted on /opt/opengnsys/cache",
    ):
        assert f"  {words}\n" in f"{said}\n"
    map_ = details(machine("multipath")[1], {1: ""})
    assert "kind       multipath\n" in map_
    assert "members    /dev/sda /dev/sdb\n" in map_


def test_labels_of_a_hostile_disk_stay_in_their_line(machine: Machine) -> None:
    _, nvme = machine("nvme-and-sata")
    named = replace(nvme.partitions[0], label="", name="a\x1b[2Jb\nc")
    hostile = replace(nvme, model="x\ny\x1b[2J", partitions=(named, *nvme.partitions[1:]))
    for said in (listing(hostile, nothing(hostile)), details(hostile, nothing(hostile))):
        assert "\x1b" not in said
        assert r"a\x1b[2Jb\nc" in said
        assert r"x\ny\x1b[2J" in said
    assert len(listing(hostile, nothing(hostile)).splitlines()) == 2 + len(hostile.partitions)
