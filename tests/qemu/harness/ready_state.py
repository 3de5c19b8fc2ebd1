# SPDX-License-Identifier: GPL-3.0-or-later
"""A saved ogLive that is ready: scenarios whose subject is not the boot resume it in a second.

One PC for each firmware (no disk) is booted from the network, stopped when ready, and its memory
migrated to a file. The file's name is a digest of everything the state depends on, so a changed
artefact, key, boot entry or QEMU makes a new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.accel import TCG, Accelerator
from harness.clock import Deadline
from harness.errors import HarnessError, ProductFailure
from harness.inventory import BENCH, Pc
from harness.lan import Lan
from harness.machine import Machine
from harness.paths import LiveArtifacts, cache_dir
from harness.process import run
from harness.qemu_argv import FromNetwork, Resume, Wiring, machine_argv
from harness.qmp import Monitor
from harness.server import Server
from harness.steps import LOG, step

# Migration ends in milliseconds once the guest stands still, if nothing limits it.
_UNLIMITED_BYTES_S = 1 << 40
# QEMU's emulator may show a second processor the breakpoint with which the kernel patches its own
# code, and that kernel panics. The system is not to blame: it is started anew, and that is told.
_EMULATOR_PANIC = "Oops: int3"
_MOST_STARTS = 3
_TELL: dict[str, object] = {"capabilities": [{"capability": "events", "state": True}]}


class ReadyState:
    """The saved state for these artefacts, this server's boot files and this QEMU."""

    def __init__(
        self,
        lan: Lan,
        server: Server,
        accel: Accelerator,
        live: LiveArtifacts,
        log_dir: Path,
        *,
        pc: Pc = BENCH,
    ) -> None:
        self._lan = lan
        self._server = server
        self._accel = accel
        self._log_dir = log_dir
        self._pc = pc
        self._shape = pc.shape()
        self._file = cache_dir("ready", pc.name) / f"{self._digest(live)}.state.zst"

    def _digest(self, live: LiveArtifacts) -> str:
        nowhere = Wiring(Path("/r"), Path("/l"), "tap", Path("/v"))
        facts = [
            live.digest,
            self._server.boot_digest(),
            run(["qemu-system-x86_64", "--version"]),
            machine_argv(self._shape, self._accel, FromNetwork(), [], nowhere),
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]

    def ensure(self) -> None:
        """Make the state unless it is there; older ones are dropped."""
        if self._file.exists():
            return
        logs = self._log_dir / f"ready-{self._pc.name}"
        with step(f"save a ready ogLive ({self._pc.firmware})"):
            for left in reversed(range(_MOST_STARTS)):
                try:
                    with Machine(self._lan, self._accel, self._shape, logs) as machine:
                        machine.netboot()
                        machine.wait_for_ready()
                        self._save(machine)
                    break
                except (HarnessError, ProductFailure):
                    if not left or not emulator_panicked(logs / "serial.log", self._accel):
                        raise
                    LOG.say("the emulator made the kernel panic, it is started anew")
        for other in self._file.parent.glob("*.state.zst"):
            if other != self._file:
                other.unlink()

    def _save(self, machine: Machine) -> None:
        monitor = machine.running.monitor
        part = self._file.with_suffix(f".{os.getpid()}.part")
        path = self._log_dir / "m"
        deadline = Deadline(machine.timeouts.migrate, "the state is saved")
        with socket.socket(socket.AF_UNIX) as listener, part.open("wb") as stream:
            listener.bind(str(path))
            listener.listen(1)
            listener.settimeout(deadline.left)
            monitor.command("stop")
            monitor.command("migrate-set-capabilities", _TELL)
            monitor.command("migrate-set-parameters", {"max-bandwidth": _UNLIMITED_BYTES_S})
            monitor.command("migrate", {"uri": f"unix:{path}"})
            connection, _ = listener.accept()
            path.unlink()
            with connection:
                packer = subprocess.Popen(
                    ["zstd", "-q", "-1", "-T2", "-c"], stdin=connection.fileno(), stdout=stream
                )
            _wait_migrated(monitor, deadline)
            machine.kill()
            if packer.wait(deadline.left) != 0:
                raise HarnessError("zstd could not pack the state")
        part.rename(self._file)

    def resume(self, log_dir: Path, listeners: Sequence[Callable[[str], None]] = ()) -> Machine:
        """A ready PC without disks; ``plug`` gives it some."""
        self.ensure()
        machine = Machine(self._lan, self._accel, self._shape, log_dir, name=self._pc.name)
        machine.listeners.extend(listeners)
        with subprocess.Popen(["zstd", "-dc", str(self._file)], stdout=subprocess.PIPE) as unpacker:
            assert unpacker.stdout is not None
            try:
                machine.start(Resume(unpacker.stdout.fileno()))
                self._load(machine, unpacker.stdout.fileno())
                unpacker.stdout.close()
                self._wake(machine)
            except BaseException:
                machine.kill()
                raise
        if unpacker.returncode != 0:
            machine.kill()
            raise HarnessError(f"{self._file} cannot be unpacked")
        return machine

    @staticmethod
    def _load(machine: Machine, descriptor: int) -> None:
        monitor = machine.running.monitor
        monitor.command("migrate-set-capabilities", _TELL)
        monitor.command("migrate-incoming", {"uri": f"fd:{descriptor}"})
        _wait_migrated(monitor, Deadline(machine.timeouts.resume, "the state is loaded"))
        monitor.command("cont")  # it was saved standing still

    @staticmethod
    def _wake(machine: Machine) -> None:
        """Wait until it runs, set its clock, and give it fresh randomness.

        Without the latter two PCs from one state would invent the same UUIDs and machine-ids.
        """
        running = machine.running
        running.shell.prepare(Deadline(machine.timeouts.resume, "the resumed shell answers"))
        reseed = (
            "import fcntl, sys, time; f = open('/dev/urandom', 'wb', 0); "
            f"f.write(bytes.fromhex('{secrets.token_hex(32)}')); fcntl.ioctl(f, 0x5207); "
            f"time.clock_settime(0, {time.time():.0f})"
        )
        deadline = Deadline(machine.timeouts.command, "clock and randomness are set")
        done = running.shell.execute(f'python3 -c "{reseed}"', deadline)
        if done.status != 0:
            raise HarnessError(f"clock and randomness could not be set: {done.output}")


def emulator_panicked(serial: Path, accel: Accelerator) -> bool:
    """Whether the guest's kernel stopped by a fault that only QEMU's emulator has."""
    if accel is not TCG or not serial.exists():
        return False
    return _EMULATOR_PANIC in serial.read_text("utf-8", "replace")


def _wait_migrated(monitor: Monitor, deadline: Deadline) -> None:
    while True:
        data = monitor.wait_event("MIGRATION", deadline)["data"]
        status = data.get("status") if isinstance(data, dict) else None
        if status == "completed":
            return
        if status == "failed":
            raise HarnessError(f"QEMU: the migration failed ({deadline.what})")
