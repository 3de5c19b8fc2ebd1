# SPDX-License-Identifier: GPL-3.0-or-later
"""A system whose initramfs was made for IDE alone: it starts elsewhere once it is adapted."""

from __future__ import annotations

import pytest
from harness.bound import BoundModels
from harness.disks import Bus
from harness.inventory import BIOS_PC
from harness.models import Maker
from harness.moving import Move, on_this_host
from harness.room import Room
from harness.steps import step

_NO_ROOT = {
    Maker.INITRAMFS_TOOLS: r"ALERT!\s+UUID=\S+ does not exist",
    Maker.DRACUT: r"Timed out waiting for device|/dev/disk/by-uuid/\S+ does not exist",
}


# dracut's hostonly takes ahci with it, whatever the disk was on: there it starts as it is
_CELLS = (
    (Maker.INITRAMFS_TOOLS, Bus.NVME),
    (Maker.INITRAMFS_TOOLS, Bus.SATA),
    (Maker.DRACUT, Bus.NVME),
)


@pytest.mark.parametrize(("maker", "bus"), _CELLS, ids=str)
def test_an_initramfs_for_ide_alone_starts_elsewhere_once_adapted(
    room: Room, bound: BoundModels, maker: Maker, bus: Bus
) -> None:
    move = Move(bound.get(maker))
    disk = room.empty_disk("target", size_mib=3072).on(bus)
    pc = room.pc(BIOS_PC, disk)
    with step("capture it, restore and fit it, as a file"):
        move.capture(room)
        move.as_file(room, disk)
    with step(f"on {bus.name} its initramfs does not find the disk"):
        pc.boot_from_disk()
        pc.wait_for_console(_NO_ROOT[maker], pc.timeouts.report, "the initramfs gives up")
        pc.kill()
    with step("adapt it to any PC, as a file"):
        root = str(move.partitions["/"])
        on_this_host("os", "adapt", str(disk.path), root, "--for", "any")
    with step(f"on {bus.name} it starts"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
        move.wanted(disk, BIOS_PC.firmware).check(report)


def test_a_deployment_adapts_what_lacks_this_disk_and_says_so(
    room: Room, bound: BoundModels
) -> None:
    move = Move(bound.get(Maker.INITRAMFS_TOOLS))
    disk = room.empty_disk("target", size_mib=3072)
    with step("capture it"):
        move.capture(room)
    with step("deploy it in ogLive, onto a virtio disk"):
        ready = room.ready_pc(disk)
        said = move.in_guest(ready)
        assert "virtio_blk" in said, said
        ready.kill()
    with step("it starts from that disk"):
        pc = room.pc(BIOS_PC, disk)
        pc.boot_from_disk()
        report = pc.wait_for_report()
        move.wanted(disk, BIOS_PC.firmware).check(report)
