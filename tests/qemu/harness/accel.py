# SPDX-License-Identifier: GPL-3.0-or-later
"""Which accelerator really works: KVM only after it has run a stock kernel here, else TCG.

``/dev/kvm`` may exist and yet not run a stock kernel (nested or partial virtualisation), so the
probe boots one until it gives up for want of a root filesystem. The answer is kept per host
kernel in ~/.cache/oglive/accel/.
"""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.clock import Timeouts
from harness.paths import cache_dir
from harness.process import Background
from harness.steps import LOG

_PROBE_LIMIT_S = 10
_PROOF = "Kernel panic - not syncing: VFS"
_TCG_OPTION = "tcg,thread=multi,tb-size=512"
_KVM_TIME_FACTOR = 0.4


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An accelerator with QEMU's option, a CPU model for it and the waits that suit it."""

    name: str
    option: str
    cpu: str
    timeouts: Timeouts


# The plain model under TCG: each feature of "max" that a guest uses is emulated, slowly.
TCG = Accelerator("tcg", _TCG_OPTION, "qemu64", Timeouts())
KVM = Accelerator("kvm", "kvm", "host", Timeouts().scaled(_KVM_TIME_FACTOR))


def kvm_boots(kernel: Path) -> bool:
    """Boot the kernel without any root under KVM: true when it came as far as looking for one."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.TemporaryDirectory(prefix="ogkvm-") as folder:
        serial = Path(folder) / "serial.log"
        probe = Background(
            "KVM probe",
            ["qemu-system-x86_64", "-machine", "pc", "-accel", "kvm", "-cpu", "host",
             "-smp", "2", "-m", "512", "-nodefaults", "-no-user-config", "-display", "none",
             "-no-reboot", "-serial", f"file:{serial}", "-kernel", str(kernel),
             "-append", "console=ttyS0 panic=-1"],
            Path(folder) / "qemu.log",
        )  # fmt: skip
        try:
            probe.wait(_PROBE_LIMIT_S)
        finally:
            probe.stop()
        return serial.exists() and _PROOF in serial.read_text(errors="replace")


def choose(kernel: Path) -> Accelerator:
    """The accelerator of this host; probed once per host kernel."""
    answer = cache_dir("accel") / platform.release()
    if not answer.exists():
        name = "kvm" if kvm_boots(kernel) else "tcg"
        LOG.say(f"accelerator of {platform.release()}: {name}")
        answer.write_text(name + "\n", encoding="ascii")
    return KVM if answer.read_text(encoding="ascii").strip() == "kvm" else TCG
