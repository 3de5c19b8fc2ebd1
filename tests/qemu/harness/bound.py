# SPDX-License-Identifier: GPL-3.0-or-later
"""A model PC whose initramfs is for its own hardware alone, as its own generator makes it there.

The model is started once on an IDE disk, with a kernel and an initramfs given to QEMU; it makes its
initramfs again for this PC and powers off. The disk stays beside the other models.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from harness.accel import Accelerator
from harness.disks import Bus, Disk
from harness.lan import Lan
from harness.machine import Machine
from harness.models import Maker, Model, Models, Root, Start, root_of
from harness.paths import BUILD, needed
from harness.qemu_argv import Firmware, FromKernel, Shape
from harness.steps import step

_MAC = "52:54:00:77:00:fd"
_INSTALLER = "usr/lib/golden/install-grub"  # what `golden.install` runs before it powers off
_REBUILD = """#!/bin/bash
set -euo pipefail
kernel=$(ls /usr/lib/modules)
{rebuild}
rm {installer}
sync
printf '\\r\\nGOLDEN-INSTALL ok\\r\\n' > /dev/console
"""
_MAKING = {
    Maker.INITRAMFS_TOOLS: (
        'echo MODULES=dep > /etc/initramfs-tools/conf.d/model; update-initramfs -u -k "$kernel"'
    ),
    Maker.DRACUT: 'dracut --force --hostonly "/boot/initrd.img-$kernel" "$kernel"',
}
# What the initramfs says shall come by the serial line, and dracut's before it has waited long.
_CONSOLES = b"console=ttyS0 console=tty0"
_WORDS = {
    Maker.INITRAMFS_TOOLS: b"console=tty0 console=ttyS0",
    Maker.DRACUT: b"console=tty0 console=ttyS0 rd.timeout=40",
}


class BoundModels:
    """Finds, or makes, the disk of the model that is bound to IDE."""

    def __init__(self, lan: Lan, accel: Accelerator, models: Models, log_dir: Path) -> None:
        self._lan = lan
        self._accel = accel
        self._models = models
        self._log_dir = log_dir

    def get(self, maker: Maker) -> Model:
        """A system for a BIOS on an ext4, whose initramfs knows IDE and no other disk."""
        free = self._models.get(Start.BIOS_MBR, Root.EXT4, Bus.IDE, maker)
        path = free.disk.path.with_name(f"{free.disk.path.stem}-bound.raw")
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}.part")
            with step("a model PC with IDE makes an initramfs for itself alone"):
                self._bind(free, part)
            part.rename(path)
        disk = Disk(path, "model", read_only=True)
        return replace(free, disk=disk, bound=True)

    def _bind(self, free: Model, path: Path) -> None:
        path.unlink(missing_ok=True)
        disk = free.disk.copy(path).on(Bus.IDE)
        root = free.places["root"]
        with root_of(disk, root) as top:
            (top / _INSTALLER).write_text(
                _REBUILD.format(installer=f"/{_INSTALLER}", rebuild=_MAKING[free.maker]), "ascii"
            )
            for name in ("etc/default/grub", "boot/grub/grub.cfg"):
                text = (top / name).read_bytes()
                (top / name).write_bytes(text.replace(_CONSOLES, _WORDS[free.maker]))
        golden = BUILD / "golden"
        boot = FromKernel(
            needed(golden / "vmlinuz", "golden"),
            needed(golden / "initrd.img", "golden"),
            # One processor: see harness.golden.
            f"root=UUID={root.uuid} rw console=ttyS0,115200 maxcpus=1 golden.install",
        )
        shape = Shape(Firmware.BIOS, _MAC)
        logs = self._log_dir / "bound"
        with Machine(self._lan, self._accel, shape, logs, [disk], name="model") as machine:
            machine.start(boot)
            made = "the initramfs is made"
            machine.wait_for_console("GOLDEN-INSTALL ok", machine.timeouts.long_command, made)
            machine.wait_for_shutdown()
