# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario is given: PCs of the test room, disks for them, and the server they boot from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.accel import Accelerator
from harness.clock import Deadline, poll
from harness.disks import MIB, Disk
from harness.errors import HarnessError
from harness.inventory import Pc
from harness.lan import Lan
from harness.machine import Machine
from harness.qemu_argv import Firmware
from harness.ready_state import ReadyState
from harness.server import Server
from harness.steps import LOG


@dataclass(frozen=True, slots=True)
class Bench:
    """What all scenarios of a session share."""

    lan: Lan
    accel: Accelerator
    server: Server
    ready: Mapping[Firmware, ReadyState]


class Room:
    """One scenario's view of the segment; everything it made is closed at its end."""

    def __init__(self, bench: Bench, *, disk_dir: Path, log_dir: Path) -> None:
        self.server = bench.server
        self.log_dir = log_dir
        self.listeners: list[Callable[[str], None]] = []
        """Are told everything that the PCs of this room say on their serial lines."""
        self._bench = bench
        self._disk_dir = disk_dir
        self._machines: list[Machine] = []
        self._made: list[Path] = []
        self._stack = ExitStack()

    def empty_disk(self, serial: str, size_mib: int, *, write_limit_mib_s: int = 0) -> Disk:
        """A new disk, all zeros, on virtio unless it is put ``on`` another bus."""
        empty = Disk.empty(self._new_path(serial), size_mib * MIB, serial)
        return replace(empty, write_limit_bytes_s=write_limit_mib_s * MIB)

    def snapshot(self, disk: Disk) -> Disk:
        """A second disk with what the first holds at this moment."""
        copies = sum(path.name.startswith(f"{disk.serial}-copy") for path in self._made)
        return disk.copy(self._new_path(f"{disk.serial}-copy{copies + 1}"))

    def discard_later(self, path: Path) -> None:
        """A file of the scenario's own, removed at its end."""
        self._made.append(path)

    def _new_path(self, stem: str) -> Path:
        self._disk_dir.mkdir(parents=True, exist_ok=True)
        path = self._disk_dir / f"{stem}.raw"
        if path.exists():
            raise HarnessError(f"two disks of one scenario are called {stem}")
        self._made.append(path)
        return path

    def pc(self, pc: Pc, *disks: Disk, memory_mib: int = 1024) -> Machine:
        """A switched-off PC with these disks."""
        shape, logs = pc.shape(memory_mib), self.log_dir / pc.name
        machine = Machine(self._bench.lan, self._bench.accel, shape, logs, disks, name=pc.name)
        machine.listeners.extend(self.listeners)
        return self._keep(machine)

    def ready_pc(self, *disks: Disk, firmware: Firmware = Firmware.BIOS) -> Machine:
        """A PC that has already booted ogLive from the network, with these disks plugged in."""
        logs = self.log_dir / f"ready-{firmware}"
        machine = self._bench.ready[firmware].resume(logs, self.listeners)
        self._keep(machine)
        for disk in disks:
            machine.plug(disk)
        return machine

    @property
    def lan(self) -> Lan:
        return self._bench.lan

    def wait_for_image_read(self, name: str, pc: Pc) -> None:
        """Until the repository has answered this PC's first read of an image."""
        deadline = Deadline(self._bench.accel.timeouts.ready, f"{pc.name} reads {name}")
        poll(lambda: self.server.image_reads(name, pc.ip) or None, deadline)

    def _keep(self, machine: Machine) -> Machine:
        self._machines.append(machine)
        self._stack.callback(machine.kill)
        return machine

    def take_pictures(self) -> None:
        """After a failure: what each running machine shows."""
        for machine in self._machines:
            if machine.is_on:
                try:
                    machine.running.screen.dump(machine.log_dir / "failed.png")
                except HarnessError as error:
                    LOG.say(f"no picture of {machine.name}: {error}")

    def close(self) -> None:
        self._stack.close()
        for path in self._made:
            path.unlink(missing_ok=True)
