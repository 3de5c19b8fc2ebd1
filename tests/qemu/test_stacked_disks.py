# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel makes of several disks: multipath maps, arrays and volume groups."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from harness.disks import Bus
from harness.inventory import BIOS_PC
from harness.machine import Machine
from harness.room import Room
from harness.steps import step

from oglib.errors import OgErr


def test_multipath_array_and_volume_group(room: Room) -> None:
    twice = replace(room.empty_disk("TWICE001", size_mib=256).on(Bus.SCSI), paths=2)
    plain = room.empty_disk("PLAIN001", size_mib=1024)
    pc = room.pc(BIOS_PC, plain, twice)
    with step("boot ogLive with a disk that two paths lead to"):
        pc.netboot()
        pc.wait_for_ready()
    with step("the two paths are one disk, with its worldwide name"):
        disks = _disks(pc)
        (map_,) = [disk for disk in disks if disk["kind"] == "multipath"]
        assert f"{twice.wwn:x}" in map_["wwn"]
        assert len(map_["members"]) == 2
        assert [disk["kind"] for disk in disks] == ["disk", "multipath"]
    with step("partition and format the map"):
        number = map_["number"]
        pc.succeed(f"og disk apply {number} esp-and-root-small --yes")
        pc.succeed(f"og fs format {number} 2 ext4 --yes")
        again = pc.succeed(f"og disk apply {number} esp-and-root-small --yes").output
        assert again == "nothing to change"
    with step("an array and a volume group on it count as disks, behind the others"):
        pc.succeed("og disk apply PLAIN001 two-halves --yes")
        pc.succeed(
            "mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 "
            "--assume-clean /dev/vda1 /dev/vda2"
        )
        pc.succeed("vgcreate -q classroom /dev/md0 && lvcreate -q -y -n root -L 64M classroom")
        pc.succeed("lvcreate -q -y -n home -L 64M classroom && udevadm settle")
        kinds = {disk["kind"]: disk for disk in _disks(pc)}
        assert set(kinds) == {"disk", "multipath", "md", "lvm"}
        group = kinds["lvm"]
        assert group["table"] == "lvm"
        assert [part["size_bytes"] for part in group["partitions"]] == [64 << 20, 64 << 20]
        pc.succeed(f"og fs format {group['number']} 1 ext4 --yes")
        assert pc.succeed(f"ogGetPartitionTableType {group['number']}").output == "LVM"
    with step("a logical volume is captured, and put onto the other one"):
        pc.succeed(f"og image create {group['number']} 1 root --to /run")
        pc.succeed(f"og image restore /run/root.img {group['number']} 2 --yes --json")
        pc.succeed(f"og image verify /run/root.img {group['number']} 2")
        pc.succeed("cmp /dev/classroom/root /dev/classroom/home")
    with step("the disk below is in use, and stays as it is"):
        refused = pc.fail("og disk apply PLAIN001 esp-and-root-small --yes --json")
        assert refused.status == OgErr.LOCKED
        assert "/dev/md0" in str(refused.error()["message"])


def _disks(pc: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(pc.succeed("og disk list --json").output)
    return found
