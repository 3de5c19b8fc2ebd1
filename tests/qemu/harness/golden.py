# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden Debian: disks finished and proven once, then only read.

``image/golden/build`` leaves raw disks without a boot loader, a kernel and an initrd. Here each
disk is booted once with them (the system installs GRUB on itself), then from the disk alone, and
what it reports is kept beside it in ~/.cache/oglive/golden/KEY/.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from harness.accel import Accelerator
from harness.disks import Disk
from harness.errors import ProductFailure
from harness.lan import Lan
from harness.machine import Machine
from harness.paths import BUILD, cache_dir, needed
from harness.qemu_argv import Firmware, FromDisk, FromKernel, Shape
from harness.report import BootReport
from harness.steps import step

GOLDEN_MAC = "52:54:00:77:00:fe"
ROOT_PARTITION = {Firmware.BIOS: 1, Firmware.UEFI: 2}
_PARTS = ("bios.raw", "uefi.raw", "vmlinuz", "initrd.img")


@dataclass(frozen=True, slots=True)
class Golden:
    """A proven disk, where its root is, and what its system said of itself."""

    firmware: Firmware
    disk: Disk
    root_partition: int
    report: BootReport


class GoldenDisks:
    """Finds, or makes, the proven disks of the present golden build."""

    def __init__(self, lan: Lan, accel: Accelerator, log_dir: Path) -> None:
        self._lan = lan
        self._accel = accel
        self._log_dir = log_dir
        self._source = BUILD / "golden"
        for part in _PARTS:
            needed(self._source / part, "golden")
        key = needed(self._source / "content.key", "golden").read_bytes()
        self._cache = cache_dir("golden", hashlib.sha256(key).hexdigest()[:24])

    def get(self, firmware: Firmware) -> Golden:
        """The proven disk for this firmware, read-only."""
        path = self._cache / f"{firmware}.raw"
        report = self._cache / f"{firmware}.json"
        if not report.exists():
            path.unlink(missing_ok=True)
            with step(f"finish and prove the golden Debian for {firmware}"):
                said = self._prove(firmware, path)
            report.write_text(json.dumps(said.raw), "utf-8")
        disk = Disk(path, f"golden-{firmware}", read_only=True)
        said = BootReport.parse(report.read_text("utf-8"))
        return Golden(firmware, disk, ROOT_PARTITION[firmware], said)

    def _prove(self, firmware: Firmware, path: Path) -> BootReport:
        source = Disk(self._source / f"{firmware}.raw", f"golden-{firmware}")
        disk = replace(source.copy(path), serial="golden")
        root = disk.filesystem(ROOT_PARTITION[firmware])["UUID"]
        boot = FromKernel(
            self._source / "vmlinuz",
            self._source / "initrd.img",
            # One processor: QEMU's emulator may show a second one the breakpoint with which the
            # kernel patches its code, and that kernel panics ("Oops: int3").
            f"root=UUID={root} rw console=ttyS0,115200 maxcpus=1 golden.install",
        )
        logs = self._log_dir / f"golden-{firmware}"
        shape = Shape(firmware, GOLDEN_MAC)
        with Machine(self._lan, self._accel, shape, logs, [disk], name="golden") as machine:
            machine.start(boot)
            machine.wait_for_console("GOLDEN-INSTALL", machine.timeouts.report, "GRUB is installed")
            machine.wait_for_shutdown()
            machine.start(FromDisk())
            report = machine.wait_for_report()
            machine.wait_for_shutdown()
        if report.running != "running":
            raise ProductFailure(f"the golden Debian is {report.running}: {report.failed}")
        return report
