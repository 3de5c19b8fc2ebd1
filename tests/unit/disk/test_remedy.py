# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk in use is refused with the commands that free it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.remedy import remedy
from oglib.disk.writing.table import refuse_busy
from oglib.errors import PartitionError

Machine = Callable[[str], tuple[Disk, ...]]


def test_volumes_and_arrays_name_their_own_tools(machine: Machine) -> None:
    said = {disk.path.name: remedy(disk) for disk in (*machine("lvm"), *machine("server"))}
    assert "`vgchange -an vg-data`" in said["sda"]
    assert any("`mdadm --stop /dev/md0`" in text for text in said.values())
    assert any("`mdadm --stop /dev/md127`" in text for text in said.values())


@pytest.mark.parametrize(
    ("use", "filesystem", "kind", "command"),
    [
        ("mounted on /mnt/a b", "ext4", "LINUX", "`og fs umount 2 3`"),
        ("mounted on /opt/opengnsys/cache", "ext4", "CACHE", "`og cache umount`"),
        ("active swap", "swap", "LINUX-SWAP", "`swapoff /dev/sdb3`"),
        ("holds /dev/mapper/secret", "crypto_LUKS", "LINUX", "`cryptsetup close secret`"),
        ("holds /dev/mapper/odd", "", "LINUX", "`dmsetup remove odd`"),
        ("attached as /dev/loop7", "ext4", "LINUX", "`losetup --detach /dev/loop7`"),
    ],
)
def test_the_refusal_names_the_command(use: str, filesystem: str, kind: str, command: str) -> None:
    part = Partition(
        3, 1 << 20, 1 << 20, kind, "", path=Path("/dev/sdb3"), filesystem=filesystem, use=(use,)
    )
    disk = Disk(2, Path("/dev/sdb"), 1 << 30, TableKind.GPT, partitions=(part,))
    with pytest.raises(PartitionError) as caught:
        refuse_busy(disk)
    assert caught.value.hint == f"Free it first: {command}."
    twice = replace(disk, partitions=(replace(part, use=(use, use)),))
    assert remedy(twice) == caught.value.hint


def test_a_whole_disk_that_is_mounted() -> None:
    disk = Disk(1, Path("/dev/sda"), 1 << 30, TableKind.NONE, use=("mounted on /data",))
    assert remedy(disk) == "Free it first: `umount /data`."
    assert not remedy(replace(disk, use=()))
