# SPDX-License-Identifier: GPL-3.0-or-later
"""A model PC's system put onto another disk, to other partition numbers than it had.

By the same commands in a guest and on this host, where the disk is a file.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.disks import Disk
from harness.layouts import LAYOUTS
from harness.machine import Machine
from harness.models import MACHINE_ID, Model, Root, Start
from harness.paths import program
from harness.process import run
from harness.qemu_argv import Firmware
from harness.restored import Wanted
from harness.room import Room

HOSTNAME = "aula1-pc01"
_FRESH = {"/boot/efi": "fat32", "swap": "swap"}
_RESTORED = {"/boot": "boot", "/": "root"}


@dataclass(frozen=True, slots=True)
class Move:
    """One model, captured; and where its partitions go. ``onto``: started otherwise than it was."""

    model: Model
    onto: Start | None = None

    @property
    def start(self) -> Start:
        """What starts the system where it goes."""
        return self.onto or self.model.start

    @property
    def layout(self) -> str:
        table = "uefi" if self.start.is_uefi else self.start.value
        return f"moved-{table}{'-boot' if self.model.root is Root.BOOT else ''}"

    @property
    def partitions(self) -> dict[str, int]:
        """The numbers in that layout by mount point."""
        first = {Start.BIOS_MBR: [], Start.BIOS_GPT: [""]}.get(self.start, ["/boot/efi"])
        boot = ["/boot"] if self.model.root is Root.BOOT else []
        points = [*first, "swap", *boot, "/"]
        return {point: number for number, point in enumerate(points, 1) if point}

    def capture(self, room: Room) -> None:
        """Its partitions as signed images of the room's repository."""
        for role in self.model.systems:
            number = self.model.places[role].number
            room.server.capture(self.model.disk.path, number, self.image(role))

    def image(self, role: str) -> str:
        """What the image of a partition of the model is called."""
        return f"{self.model.name}-{role}"

    def as_file(self, room: Room, disk: Disk) -> None:
        """Restored and fitted on this host, for a PC with a BIOS."""
        layout = room.log_dir / "layout.json"
        layout.write_text(json.dumps(LAYOUTS[self.layout]), "ascii")
        self._by_steps(on_this_host, disk.path, layout, room.server.image)

    def in_guest(self, pc: Machine) -> str:
        """Restored and fitted by ogLive, onto the PC's first disk; what it said."""
        if self.model.root is not Root.BOOT:
            root = self.partitions["/"]
            image = self.image("root")
            return pc.deploy(image, partition=root, layout=self.layout, hostname=HOSTNAME).output
        said = []

        def og(*words: str) -> None:
            command = shlex.join(["og", *words])
            said.append(pc.succeed(command, seconds=pc.timeouts.long_command).output)

        self._by_steps(og, "1", self.layout, str)
        return "\n".join(said)

    def _by_steps(
        self,
        og: Callable[..., None],
        disk: Path | str,
        layout: Path | str,
        image: Callable[[str], Path | str],
    ) -> None:
        """Table, swap and ESP afresh, the filesystems from their images, the system fitted."""
        where = self.partitions
        og("disk", "apply", str(disk), str(layout), "--yes")
        for point, kind in _FRESH.items():
            if point in where:
                og("fs", "format", str(disk), str(where[point]), kind, "--yes")
        for point, role in _RESTORED.items():
            if point in where:
                source = str(image(self.image(role)))
                other = self.start.is_uefi != self.model.start.is_uefi
                wished = ["--grow", *(["--other-firmware"] if other else []), "--yes"]
                og("image", "restore", source, str(disk), str(where[point]), *wished)
        og("os", "configure", str(disk), str(where["/"]), "--hostname", HOSTNAME)

    def wanted(self, disk: Disk, firmware: Firmware) -> Wanted:
        """What the system shall say when it has started from this disk."""
        return Wanted(
            disk,
            firmware,
            HOSTNAME,
            self.partitions,
            MACHINE_ID,
            self.model.disk.filesystem_bytes(self.model.places["root"].number),
            subvolume="@" if self.model.root is Root.BTRFS else "",
        )


def on_this_host(*words: str) -> None:
    """``og`` with these words, beside the repository."""
    run([program("og"), *words])
