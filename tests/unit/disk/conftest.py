# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole machines for the tests of this folder.

The files in ``machines/`` have lsblk's shape with the columns of ``oglib.disk.probing.rows``;
beside the one with volume groups lie the reports of ``vgs`` and ``lvs``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oglib.disk.model import Disk
from oglib.disk.probing.lsblk import parse_lsblk
from oglib.disk.probing.lvm import Group, parse_groups

MACHINES = Path(__file__).parent / "machines"
# what blkinfo calls disks in each of them; it hides the paths of a multipath map, and the disks
# of an array that have nothing else on them
DISKS = {
    "nvme-and-sata": ["sda", "sr0", "zram0", "nvme0n1"],
    "two-equal-models": ["sdb", "sda"],
    "multipath": ["mpatha", "sdc"],
    "usb-first-4kn-lvm": ["sda", "sdb", "vda"],
    "usb-first-empty": ["sda", "sdb", "sdc", "nvme0n1"],
    "no-disks": ["zram0"],
    "lvm": ["sda", "sdb", "sdc"],
    "server": ["mpatha", "sr0", "md0", "md127", "nvme0n1", "nvme1n1"],
    "emmc": ["mtdblock0", "mmcblk0", "mmcblk0boot0", "mmcblk0boot1", "mmcblk1"],
    "same-serial-damaged": ["sda", "sdb", "sdc"],
}


def read_machine(name: str) -> tuple[Disk, ...]:
    vgs = MACHINES / f"{name}.vgs.json"
    groups: tuple[Group, ...] = ()
    if vgs.exists():
        groups = parse_groups(vgs.read_text(), (MACHINES / f"{name}.lvs.json").read_text())
    return parse_lsblk((MACHINES / f"{name}.json").read_text(), DISKS[name], groups)


@pytest.fixture
def machine() -> Callable[[str], tuple[Disk, ...]]:
    return read_machine
