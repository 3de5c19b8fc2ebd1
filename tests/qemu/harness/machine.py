# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual PC as a scenario sees it: start it, talk to it, wait for what it does.

A PC keeps its disks and its firmware variables between starts; each start is one QEMU process
inside the LAN's namespace.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.accel import Accelerator
from harness.clock import Deadline, poll
from harness.console import Console
from harness.disks import Disk
from harness.errors import HarnessError, ProductFailure
from harness.lan import Lan
from harness.process import Background
from harness.qemu_argv import (
    Boot,
    Firmware,
    FromDisk,
    FromLoader,
    FromNetwork,
    FromOrder,
    Resume,
    Shape,
    Wiring,
    machine_argv,
    slot_name,
)
from harness.qmp import Monitor
from harness.report import BootReport
from harness.screen import Screen
from harness.shell import Pending, Result, Shell
from harness.steps import LOG

_CONNECT_LIMIT_S = 20
READY_LINE = r"OGLIVE-READY version=(\S+) profile=(\S+) ip=(\S+)"


@dataclass(slots=True)
class Running:
    """One QEMU process and the lines to it."""

    process: Background
    console: Console
    firmware: Console
    monitor: Monitor
    shell: Shell
    screen: Screen
    resources: ExitStack
    started: float


class Machine:
    """One PC; use it as a context manager, or let its fixture close it."""

    def __init__(
        self,
        lan: Lan,
        accel: Accelerator,
        shape: Shape,
        log_dir: Path,
        disks: Sequence[Disk] = (),
        *,
        name: str = "pc",
    ) -> None:
        self.name = name
        self.shape = shape
        self.accel = accel
        self.log_dir = log_dir
        self.disks = list(disks)
        self.timeouts = accel.timeouts
        self.listeners: list[Callable[[str], None]] = []
        self._lan = lan
        self._running: Running | None = None
        log_dir.mkdir(parents=True, exist_ok=True)
        self._vars = log_dir / "efi-vars.fd"
        if shape.firmware is Firmware.UEFI:
            shutil.copyfile(shape.ovmf_vars, self._vars)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    # ---- power -------------------------------------------------------------------------------

    def start(self, boot: Boot) -> None:
        """Power on and connect; returns as soon as QEMU runs."""
        if self._running is not None:
            raise HarnessError(f"{self.name} runs already")
        with ExitStack() as stack:
            run_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ogt-")))
            wiring = Wiring(run_dir, self.log_dir, "", self._vars)
            if isinstance(boot, FromNetwork | FromOrder | FromLoader | Resume):
                tap = self._lan.add_tap()
                stack.callback(self._lan.remove_tap, tap)
                wiring = Wiring(run_dir, self.log_dir, tap, self._vars)
            listeners = [
                self._listen(stack, path)
                for path in (wiring.console, wiring.firmware_log, wiring.monitor)
            ]
            argv = self._lan.inside(machine_argv(self.shape, self.accel, boot, self.disks, wiring))
            with (self.log_dir / "argv.txt").open("a", encoding="utf-8") as stream:
                stream.write("\n".join(argv) + "\n\n")
            fds = [boot.descriptor] if isinstance(boot, Resume) else []
            started = time.monotonic()
            process = Background(self.name, argv, self.log_dir / "qemu.log", pass_fds=fds)
            stack.callback(process.stop)
            console = Console(self._accept(listeners[0], process), self.name)
            console.listeners.extend(self.listeners)
            stack.callback(console.close)
            firmware = Console(self._accept(listeners[1], process), f"{self.name} firmware")
            stack.callback(firmware.close)
            monitor = Monitor(self._accept(listeners[2], process), self.timeouts.qmp)
            stack.callback(monitor.close)
            self._running = Running(
                process, console, firmware, monitor, Shell(console),
                Screen(monitor, run_dir), stack.pop_all(), started,
            )  # fmt: skip
        LOG.say(f"{self.name}: power on ({self.shape.firmware}, {type(boot).__name__})")

    @staticmethod
    def _listen(stack: ExitStack, path: Path) -> socket.socket:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(1)
        return listener

    def _accept(self, listener: socket.socket, process: Background) -> socket.socket:
        """QEMU's connection, or a harness error as soon as QEMU has ended."""
        handle = os.pidfd_open(process.process.pid)
        try:
            ready, _, _ = select.select([listener.fileno(), handle], [], [], _CONNECT_LIMIT_S)
        finally:
            os.close(handle)
        if listener.fileno() in ready:
            return listener.accept()[0]
        process.require_alive()
        raise HarnessError(f"QEMU of {self.name} did not connect in {_CONNECT_LIMIT_S} s")

    @property
    def running(self) -> Running:
        if self._running is None:
            raise HarnessError(f"{self.name} is switched off")
        return self._running

    @property
    def is_on(self) -> bool:
        return self._running is not None

    def kill(self) -> None:
        """Pull the plug: what the guest has not flushed is lost."""
        if self._running is not None:
            running, self._running = self._running, None
            running.resources.close()

    def wait_for_shutdown(self, seconds: float | None = None) -> str:
        """The guest's own power-off (or reset, which ends QEMU too); the reason QEMU names."""
        running = self.running
        limit = seconds or self.timeouts.shutdown
        deadline = Deadline(limit, f"{self.name} switches itself off")
        event = running.monitor.wait_event("SHUTDOWN", deadline)
        running.process.wait(self.timeouts.shutdown)
        self.kill()
        data = event.get("data")
        return str(data.get("reason")) if isinstance(data, dict) else ""

    def wait_for_last_screen(self, seconds: float) -> str:
        """The guest's own power-off, and everything that its text screen showed until then.

        A picture of it stays in the log folder, as ``last.png``.
        """
        running = self.running
        deadline = Deadline(seconds, f"{self.name} switches itself off")
        running.monitor.command("set-action", {"shutdown": "pause"})
        running.monitor.wait_event("SHUTDOWN", deadline)
        text = running.screen.text()
        running.screen.dump(self.log_dir / "last.png")
        self.kill()
        return text

    # ---- the story's verbs -------------------------------------------------------------------

    def netboot(self) -> None:
        """Power on with the network card first."""
        self.start(FromNetwork())

    def boot_from_disk(self) -> None:
        """Pull the plug if needed, take the network card out, start from the disk alone."""
        self.kill()
        self.start(FromDisk())

    def wait_for_console(self, pattern: str, seconds: float, what: str) -> re.Match[bytes]:
        """Wait for a text on the serial line since power-on."""
        return self.running.console.wait_for(pattern, Deadline(seconds, what))

    def wait_for_ready(self) -> float:
        """ogLive's ready line; seconds since power-on."""
        what = f"{self.name} says OGLIVE-READY"
        match = self.wait_for_console(READY_LINE + r"\r*\n", self.timeouts.ready, what)
        took = time.monotonic() - self.running.started
        LOG.say(f"{self.name}: {match[0].decode().strip()} after {took:.1f} s")
        if match[2] == b"test":
            deadline = Deadline(self.timeouts.command, "the shell answers, the cache is mounted")
            self.running.shell.prepare(deadline)
            # Joins what ogLive begins then, if it is not over: the look for a cache on its disks.
            self.running.shell.execute("systemctl start oglive-begin.service", deadline)
        return took

    def wait_for_report(self) -> BootReport:
        """What the installed system says about itself."""
        report = BootReport.wait(
            self.running.console, Deadline(self.timeouts.report, f"{self.name} reports")
        )
        took = time.monotonic() - self.running.started
        LOG.say(f"{self.name}: {report.pretty_name} reports after {took:.1f} s")
        return report

    def wait_for_screen(self, text: str, seconds: float) -> str:
        """Until this stands on the text screen, over line ends too; all that is there then."""
        screen = self.running.screen
        deadline = Deadline(seconds, f"{self.name} shows {text!r}")

        def look() -> str | None:
            shown = screen.text()
            return shown if text in " ".join(shown.split()) else None

        return poll(look, deadline)

    def execute(self, command: str, *, seconds: float | None = None) -> Result:
        """Run a command in ogLive's root shell."""
        LOG.say(f"{self.name}# {command}")
        deadline = Deadline(seconds or self.timeouts.command, f"`{command}` ends")
        return self.running.shell.execute(command, deadline)

    def begin(self, command: str) -> Pending:
        """Start a command and go on."""
        LOG.say(f"{self.name}# {command} …")
        return self.running.shell.begin(command)

    def wait_for_progress(self, running: Pending, phase: str, percent: int) -> None:
        """Until a running command with ``--json`` reports this much of a phase."""
        deadline = Deadline(self.timeouts.long_command, f"{percent} % of {phase} are done")
        running.wait_for_progress(phase, percent, deadline)

    def wait_for_end(self, running: Pending, seconds: float) -> Result:
        """The end of a command that was begun."""
        return running.wait(Deadline(seconds, "the running command ends"))

    def succeed(self, command: str, *, seconds: float | None = None) -> Result:
        result = self.execute(command, seconds=seconds)
        if result.status != 0:
            raise ProductFailure(
                f"`{command}` ended with status {result.status}, not 0:\n{result.output}"
            )
        return result

    def fail(self, command: str, *, seconds: float | None = None) -> Result:
        result = self.execute(command, seconds=seconds)
        if result.status == 0:
            raise ProductFailure(f"`{command}` succeeded, but must fail:\n{result.output}")
        return result

    def place_secret(self, path: str, secret: str) -> None:
        LOG.say(f"{self.name}: a secret goes to {path}")
        deadline = Deadline(self.timeouts.command, "the secret is in place")
        self.running.shell.place_secret(path, secret, deadline)

    def deploy(self, image: str, *, partition: int, layout: str, hostname: str) -> Result:
        """``og deploy`` onto disk 1 with a layout of the repository."""
        return self.succeed(
            f"og deploy {image} 1 {partition} --layout {layout} --hostname {hostname} --yes --json",
            seconds=self.timeouts.long_command,
        )

    def wait_for_grub_rescue(self) -> None:
        """Booted from a disk whose GRUB finds no filesystem: it stops there, no kernel starts."""
        deadline = Deadline(self.timeouts.firmware, f"{self.name}'s GRUB gives up")
        poll(lambda: "grub rescue>" in self.running.screen.text() or None, deadline)
        said = self.running.console.text()
        if said.strip():
            raise ProductFailure(f"something started from the half-written disk:\n{said}")

    # ---- hardware ----------------------------------------------------------------------------

    def set_link(self, *, up: bool) -> None:
        """Plug the network cable in or out."""
        LOG.say(f"{self.name}: network cable {'in' if up else 'out'}")
        self.running.monitor.command("set_link", {"name": "nic0", "up": up})

    def lift_write_limit(self, disk: Disk) -> None:
        """Let a slowed disk write as fast as it can from now on."""
        LOG.say(f"{self.name}: disk {disk.serial} is fast again")
        limits = {"path": f"/objects/{disk.serial}-limit", "property": "limits"}
        self.running.monitor.command("qom-set", {**limits, "value": {"bps-write": 0}})

    def plug(self, disk: Disk) -> None:
        """Hot-plug a disk and wait until the guest has a device for it."""
        monitor = self.running.monitor
        for item in disk.objects():
            monitor.command("object-add", item)
        for node in disk.nodes():
            monitor.command("blockdev-add", node)
        for device in disk.devices():
            if self.shape.slots and "bus" not in device:
                device["bus"] = slot_name(len(self.disks))
            monitor.command("device_add", device)
        self.disks.append(disk)
        self.succeed(f"udevadm wait --settle --timeout=30 {disk.link} && udevadm settle")
