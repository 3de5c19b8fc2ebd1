# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts a PC, crossed with what its system lies on: each captured, moved, and booted.

The system comes back to another partition number and another kind of disk than it was captured
from, and says itself where it is. What a BIOS starts is restored and fitted as a disk in a file, by
the same commands, and only the result is a virtual PC; what UEFI starts is done by ogLive in the
guest, for the host need not know FAT.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.disks import Bus, Disk
from harness.inventory import BIOS_PC, SECURE_PC, UEFI_PC, Pc
from harness.layouts import LAYOUTS
from harness.machine import Machine
from harness.models import MACHINE_ID, Model, Models, Root, Start
from harness.paths import program
from harness.process import run
from harness.qemu_argv import Firmware
from harness.restored import Wanted
from harness.room import Room
from harness.steps import step

_HOSTNAME = "aula1-pc01"
_PCS = {Start.UEFI: UEFI_PC, Start.SECURE: SECURE_PC}
_FRESH = {"/boot/efi": "fat32", "swap": "swap"}
_RESTORED = {"/boot": "boot", "/": "root"}


@dataclass(frozen=True, slots=True)
class Cell:
    """``before``: the disk that the model has; ``after``: the one it is restored to."""

    start: Start
    root: Root
    before: Bus
    after: Bus
    cold: bool = False
    """Whether ogLive is booted from the network for it; else a ready one goes on."""

    @property
    def name(self) -> str:
        return f"{self.start}-{self.root}-{self.after.name.lower()}"

    def image(self, role: str) -> str:
        """What the image of a partition of the model is called."""
        return f"{self.start}-{self.root}-{role}"

    @property
    def pc(self) -> Pc:
        return _PCS.get(self.start, BIOS_PC)

    @property
    def layout(self) -> str:
        table = "uefi" if self.start.is_uefi else self.start.value
        return f"moved-{table}{'-boot' if self.root is Root.BOOT else ''}"

    @property
    def partitions(self) -> dict[str, int]:
        """The numbers in that layout by mount point."""
        points = {Start.BIOS_MBR: [], Start.BIOS_GPT: [""]}.get(self.start, ["/boot/efi"])
        points += ["swap", *(["/boot"] if self.root is Root.BOOT else []), "/"]
        return {point: number for number, point in enumerate(points, 1) if point}


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
)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_boot_matrix(room: Room, models: Models, cell: Cell) -> None:
    model = models.get(cell.start, cell.root, cell.before)
    disk = room.empty_disk("target", size_mib=3072).on(cell.after)
    with step("capture the model PC's partitions"):
        for role in model.systems:
            room.server.capture(model.disk.path, model.places[role].number, cell.image(role))
    pc = room.pc(cell.pc, disk)
    if cell.cold:
        _move_in_a_cold_pc(pc, cell)
    elif cell.start.is_uefi:
        with step("restore and fit it in a ready ogLive"):
            ready = room.ready_pc(disk.on(Bus.VIRTIO), firmware=Firmware.UEFI)
            _deploy(ready, cell)
            ready.kill()
    else:
        with step("restore and fit it, as a file"):
            _move(_of_this_host, cell, disk.path, _layout_file(room, cell), room.server.image)
    with step(f"boot the disk alone, as {cell.after.name}"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
    with step("the system knows its disk, its partitions and its name"):
        _wanted(cell, model, disk).check(report)
        if cell.pc.secure:
            assert "Secure boot enabled" in pc.running.console.text()


def _move_in_a_cold_pc(pc: Machine, cell: Cell) -> None:
    with step("boot ogLive from the network"):
        pc.netboot()
        pc.wait_for_ready()
    with step("its screen says what it waits for, and where its console is"):
        shown = pc.succeed("fold -w $(stty -F /dev/tty1 size | cut -d' ' -f2) /dev/vcs1").output
        assert "its boot entry carries no job" in shown, shown
        assert "Console     root, without a password: serial line ttyS0" in shown, shown
    with step("deploy onto the empty disk"):
        _deploy(pc, cell)


def _deploy(pc: Machine, cell: Cell) -> None:
    if cell.root is not Root.BOOT:
        root = cell.partitions["/"]
        pc.deploy(cell.image("root"), partition=root, layout=cell.layout, hostname=_HOSTNAME)
        return

    def og(*words: str) -> None:
        pc.succeed(shlex.join(["og", *words]), seconds=pc.timeouts.long_command)

    _move(og, cell, "1", cell.layout, str)


def _of_this_host(*words: str) -> None:
    run([program("og"), *words])


def _move(
    og: Callable[..., None],
    cell: Cell,
    disk: Path | str,
    layout: Path | str,
    image: Callable[[str], Path | str],
) -> None:
    """Table, swap and ESP afresh, the filesystems from their images, and the system fitted."""
    where = cell.partitions
    og("disk", "apply", str(disk), str(layout), "--yes")
    for point, kind in _FRESH.items():
        if point in where:
            og("fs", "format", str(disk), str(where[point]), kind, "--yes")
    for point, role in _RESTORED.items():
        if point in where:
            source = str(image(cell.image(role)))
            og("image", "restore", source, str(disk), str(where[point]), "--grow", "--yes")
    og("os", "configure", str(disk), str(where["/"]), "--hostname", _HOSTNAME)


def _layout_file(room: Room, cell: Cell) -> Path:
    path = room.log_dir / "layout.json"
    path.write_text(json.dumps(LAYOUTS[cell.layout]), "ascii")
    return path


def _wanted(cell: Cell, model: Model, disk: Disk) -> Wanted:
    return Wanted(
        disk,
        cell.pc.firmware,
        _HOSTNAME,
        cell.partitions,
        MACHINE_ID,
        model.disk.filesystem_bytes(model.places["root"].number),
        subvolume="@" if cell.root is Root.BTRFS else "",
    )
