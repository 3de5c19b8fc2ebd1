# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts a PC, crossed with what its system lies on: each captured, moved, and booted.

The system comes back to another partition number and another kind of disk than it was captured
from, and says itself where it is. What a BIOS starts is restored and fitted as a disk in a file, by
the same commands, and only the result is a virtual PC; what UEFI starts is done by ogLive in the
guest, for the host need not know FAT.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from harness.disks import Bus
from harness.inventory import BIOS_PC, SECURE_PC, UEFI_PC, Pc
from harness.machine import Machine
from harness.models import Models, Root, Start
from harness.moving import Move
from harness.qemu_argv import Firmware
from harness.room import Room
from harness.steps import step

_PCS = {Start.UEFI: UEFI_PC, Start.SECURE: SECURE_PC}


@dataclass(frozen=True, slots=True)
class Cell:
    """``before``: the disk that the model has; ``after``: the one it is restored to."""

    start: Start
    root: Root
    before: Bus
    after: Bus
    cold: bool = False
    """Whether ogLive is booted from the network for it; else a ready one goes on."""
    made: Start | None = None
    """What starts the model, where that is something else."""

    @property
    def name(self) -> str:
        made = f"-of-{self.made}" if self.made else ""
        return f"{self.start}{made}-{self.root}-{self.after}"

    @property
    def pc(self) -> Pc:
        return _PCS.get(self.start, BIOS_PC)


# Every way to start meets every kind of disk, and so does every root; each root has three starts.
CELLS = (
    Cell(Start.BIOS_MBR, Root.XFS, Bus.VIRTIO, Bus.SATA),
    Cell(Start.BIOS_MBR, Root.BOOT, Bus.SATA, Bus.NVME),
    Cell(Start.BIOS_MBR, Root.BTRFS, Bus.VIRTIO, Bus.SCSI),
    Cell(Start.BIOS_GPT, Root.BOOT, Bus.VIRTIO, Bus.SATA),
    Cell(Start.BIOS_GPT, Root.BTRFS, Bus.SATA, Bus.NVME),
    Cell(Start.BIOS_GPT, Root.EXT4, Bus.VIRTIO, Bus.SCSI),
    Cell(Start.UEFI, Root.BTRFS, Bus.VIRTIO, Bus.SATA),
    Cell(Start.UEFI, Root.EXT4, Bus.SATA, Bus.NVME, cold=True),
    Cell(Start.UEFI, Root.XFS, Bus.VIRTIO, Bus.SCSI),
    Cell(Start.SECURE, Root.EXT4, Bus.VIRTIO, Bus.SATA),
    Cell(Start.SECURE, Root.XFS, Bus.SATA, Bus.NVME),
    Cell(Start.SECURE, Root.BOOT, Bus.VIRTIO, Bus.SCSI),
    # and other firmware than the model has
    Cell(Start.UEFI, Root.EXT4, Bus.VIRTIO, Bus.SATA, made=Start.BIOS_MBR),
    Cell(Start.BIOS_GPT, Root.EXT4, Bus.VIRTIO, Bus.SATA, made=Start.UEFI),
)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_boot_matrix(room: Room, models: Models, cell: Cell) -> None:
    move = Move(models.get(cell.made or cell.start, cell.root, cell.before), cell.start)
    disk = room.empty_disk("target", size_mib=3072).on(cell.after)
    with step("capture the model PC's partitions"):
        move.capture(room)
    pc = room.pc(cell.pc, disk)
    if cell.cold:
        _move_in_a_cold_pc(pc, move)
    elif cell.start.is_uefi:
        with step("restore and fit it in a ready ogLive"):
            ready = room.ready_pc(disk.on(Bus.VIRTIO), firmware=Firmware.UEFI)
            move.in_guest(ready)
            ready.kill()
    else:
        with step("restore and fit it, as a file"):
            move.as_file(room, disk)
    with step(f"boot the disk alone, as {cell.after.name}"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
    with step("the system knows its disk, its partitions and its name"):
        move.wanted(disk, cell.pc.firmware).check(report)
        if cell.pc.secure:
            assert "Secure boot enabled" in pc.running.console.text()


def _move_in_a_cold_pc(pc: Machine, move: Move) -> None:
    with step("boot ogLive from the network"):
        pc.netboot()
        pc.wait_for_ready()
    with step("its screen says what it waits for, and where its console is"):
        shown = pc.succeed("fold -w $(stty -F /dev/tty1 size | cut -d' ' -f2) /dev/vcs1").output
        assert "its boot entry carries no job" in shown, shown
        assert "Console     root, without a password: serial line ttyS0" in shown, shown
    with step("deploy onto the empty disk"):
        move.in_guest(pc)
