# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: the disk that is meant on every PC of a room, or a refusal that names the candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from oglib.disk.find import find_disk
from oglib.disk.model import Disk
from oglib.errors import NotFoundError, UsageError

Machine = Callable[[str], tuple[Disk, ...]]


@pytest.mark.parametrize(
    ("name", "rule", "path"),
    [
        ("nvme-and-sata", "nvme", "nvme0n1"),
        ("nvme-and-sata", "largest", "sda"),
        ("multipath", "largest", "mapper/mpatha"),
        ("usb-first-4kn-lvm", "largest", "sdb"),
        # an empty PC: the NVMe disk, not the larger one and never the one on USB
        ("usb-first-empty", "system", "nvme0n1"),
        ("usb-first-empty", "nvme", "nvme0n1"),
        ("usb-first-empty", "largest", "sdc"),
        ("lvm", "system", "sda"),
        # a disk that is wholly in a group is nobody's system disk
        ("lvm", "largest", "sda"),
        ("emmc", "system", "mmcblk0"),
        ("emmc", "largest", "mmcblk0"),
        ("server", "largest", "mapper/mpatha"),
        ("same-serial-damaged", "system", "sdc"),
    ],
)
def test_what_a_rule_means(machine: Machine, name: str, rule: str, path: str) -> None:
    assert str(find_disk(rule, machine(name)).path) == f"/dev/{path}"


@pytest.mark.parametrize(
    ("name", "rule", "says"),
    [
        # both can be started from: an active partition here, an ESP there
        ("nvme-and-sata", "system", r"several disks: 1: /dev/sda .*; 2: /dev/nvme0n1 "),
        ("two-equal-models", "largest", r"several disks: 1: /dev/sda .*; 2: /dev/sdb "),
        ("two-equal-models", "nvme", r"meant by 'nvme': it has 1: /dev/sda .*; 2: /dev/sdb "),
        ("server", "nvme", r"several disks: 3: /dev/nvme0n1 .*; 4: /dev/nvme1n1 "),
        ("server", "system", r"several disks: 3: /dev/nvme0n1 .*; 4: /dev/nvme1n1 "),
        ("no-disks", "system", "it has no fixed disk"),
        ("emmc", "nvme", r"it has 1: /dev/mmcblk0 .* Never meant by a rule: 2: /dev/mmcblk1"),
    ],
)
def test_a_rule_that_means_none_or_several_is_refused(
    machine: Machine, name: str, rule: str, says: str
) -> None:
    with pytest.raises(NotFoundError, match=says) as caught:
        find_disk(rule, machine(name))
    assert f"ogdisk.{rule}=SERIAL" in caught.value.hint


def test_an_array_of_whole_disks_stands_for_them(machine: Machine) -> None:
    without_san = [disk for disk in machine("server") if "mapper" not in str(disk.path)]
    assert str(find_disk("largest", without_san).path) == "/dev/md0"


def test_a_read_only_disk_is_never_meant(machine: Machine) -> None:
    sata, nvme = machine("nvme-and-sata")
    assert find_disk("system", (replace(sata, read_only=True), nvme)) is nvme


@pytest.mark.parametrize(
    ("spec", "told", "path"),
    [
        ("system", {"system": "nvme"}, "nvme0n1"),
        ("system", {"system": "ZN1ABCDE"}, "sda"),
        ("system", {"system": "1@ZN1ABCDE"}, "sda"),
        ("system", {"system": "LABEL=root"}, "nvme0n1"),
        ("nvme", {"nvme": "nvme"}, "nvme0n1"),
        ("data", {"data": "big", "big": "largest"}, "sda"),
        ("1", {"system": "nvme"}, "sda"),
    ],
)
def test_what_this_pc_was_told_wins(
    machine: Machine, spec: str, told: dict[str, str], path: str
) -> None:
    assert str(find_disk(spec, machine("nvme-and-sata"), told).path) == f"/dev/{path}"


def test_a_disk_on_usb_may_be_named(machine: Machine) -> None:
    told = {"system": "WX12D00000AA"}
    assert find_disk("system", machine("usb-first-empty"), told).transport == "usb"


def test_a_wrong_name_told_to_this_pc_says_where_it_comes_from(machine: Machine) -> None:
    disks = machine("nvme-and-sata")
    with pytest.raises(NotFoundError, match=r"system is S9 on this PC\. There is no disk S9"):
        find_disk("system", disks, {"system": "S9"})
    with pytest.raises(UsageError, match="in a circle: system = nvme = system"):
        find_disk("system", disks, {"system": "nvme", "nvme": "system"})
