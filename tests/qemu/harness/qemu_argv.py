# SPDX-License-Identifier: GPL-3.0-or-later
"""What a virtual PC consists of, as data, and QEMU's argument list for it. Starts nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.accel import Accelerator
from harness.disks import Disk

_OVMF = Path("/usr/share/OVMF")


class Firmware(StrEnum):
    """What the PC starts with."""

    BIOS = "bios"
    UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class Shape:
    """The parts of a PC that a saved state depends on."""

    firmware: Firmware
    mac: str
    memory_mib: int = 1024
    cores: int = 2
    display: str = "VGA"
    secure: bool = False
    """UEFI with Secure Boot on and Microsoft's keys."""
    slots: int = 0
    """How many virtio disks can be plugged into a running PC with UEFI, whose bus has no place."""

    @property
    def ovmf_code(self) -> Path:
        return _OVMF / ("OVMF_CODE_4M.ms.fd" if self.secure else "OVMF_CODE_4M.fd")

    @property
    def ovmf_vars(self) -> Path:
        """The variables of a new PC."""
        return _OVMF / ("OVMF_VARS_4M.ms.fd" if self.secure else "OVMF_VARS_4M.fd")


@dataclass(frozen=True, slots=True)
class FromNetwork:
    """Boot from the network card, and from nothing else first; `then_disk`: from the disk next."""

    then_disk: bool = False


@dataclass(frozen=True, slots=True)
class FromOrder:
    """Boot by the firmware's own boot order; the network card is in."""


@dataclass(frozen=True, slots=True)
class FromDisk:
    """Boot from the first disk; the network card is taken out."""


@dataclass(frozen=True, slots=True)
class FromKernel:
    """Boot a kernel handed to QEMU (building the golden disks only); no network card."""

    kernel: Path
    initrd: Path
    command_line: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Continue a saved machine that had booted from the network, read from this descriptor."""

    descriptor: int


@dataclass(frozen=True, slots=True)
class FromLoader:
    """Boot from the network by this iPXE (a `.lkrn`) on a BIOS, in the place of the card's own."""

    loader: Path


Boot = FromNetwork | FromOrder | FromDisk | FromKernel | FromLoader | Resume


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where this start of a machine is connected on the host."""

    run_dir: Path
    log_dir: Path
    tap: str
    vars_copy: Path

    @property
    def console(self) -> Path:
        return self.run_dir / "console"

    @property
    def firmware_log(self) -> Path:
        return self.run_dir / "firmware"

    @property
    def monitor(self) -> Path:
        return self.run_dir / "qmp"


def slot_name(number: int) -> str:
    """QEMU's name for a place into which a disk can be plugged; counted from 0."""
    return f"slot{number}"


def _socket(name: str, path: Path, log: Path) -> list[str]:
    """QEMU connects to our listening socket, so that nothing said is missed."""
    return ["-chardev", f"socket,id={name},path={path},logfile={log},logappend=on"]


def _network_card(shape: Shape, tap: str, index: int | None = 0) -> list[str]:
    """Its option ROM is tried at the place `index`; None: where the firmware's order has it."""
    card: dict[str, object] = {
        "driver": "virtio-net-pci",
        "id": "nic0",
        "netdev": "net0",
        "mac": shape.mac,
    }
    if index is not None:
        card["bootindex"] = index
    if shape.firmware is Firmware.UEFI:
        # Without an option ROM OVMF uses its own PXE (with iPXE's in the card, a second TFTP
        # download arrives truncated).
        card["romfile"] = ""
    netdev = f"tap,id=net0,ifname={tap},script=no,downscript=no"
    return ["-netdev", netdev, "-device", json.dumps(card)]


def _turn(boot: Boot, index: int) -> int | None:
    """When the firmware tries this disk; None: never, and a BIOS then does not even show it."""
    match boot:
        case FromDisk():
            return index
        case FromNetwork(then_disk=True):
            return 1 + index  # behind the network card
        case _:
            return None


def machine_argv(
    shape: Shape, accel: Accelerator, boot: Boot, disks: Sequence[Disk], wiring: Wiring
) -> list[str]:
    """The whole argument list of one start."""
    uefi = shape.firmware is Firmware.UEFI
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"]
    machine = "q35,smm=on" if shape.secure else "q35" if uefi else "pc"
    argv += ["-machine", machine, "-accel", accel.option, "-cpu", accel.cpu]
    argv += ["-smp", str(shape.cores), "-m", str(shape.memory_mib), "-rtc", "base=utc"]
    argv += [
        "-no-reboot",
        "-boot",
        # Where QEMU names an order, it is the whole one.
        "menu=off" if isinstance(boot, FromOrder) else "strict=on",
        "-device",
        shape.display,
        "-device",
        "virtio-rng-pci",
    ]
    if uefi:
        argv += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={shape.ovmf_code}"]
        argv += ["-drive", f"if=pflash,unit=1,format=raw,file={wiring.vars_copy}"]
    if shape.secure:
        argv += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    for slot in range(shape.slots):
        argv += ["-device", f"pcie-root-port,id={slot_name(slot)},chassis={slot + 1}"]
    argv += _socket("console", wiring.console, wiring.log_dir / "serial.log")
    argv += ["-serial", "chardev:console"]
    # SeaBIOS tells its boot decisions on this port.
    argv += _socket("firmware", wiring.firmware_log, wiring.log_dir / "firmware.log")
    argv += ["-device", "isa-debugcon,iobase=0x402,chardev=firmware"]
    argv += ["-qmp", f"unix:{wiring.monitor}"]
    match boot:
        case FromNetwork() | FromOrder():
            argv += _network_card(shape, wiring.tap, 0 if isinstance(boot, FromNetwork) else None)
        case FromLoader(loader):
            # QEMU puts what it is handed first.
            argv += [*_network_card(shape, wiring.tap, 1), "-kernel", str(loader)]
        case Resume():
            argv += _network_card(shape, wiring.tap)
            argv += ["-incoming", "defer"]
        case FromKernel(kernel, initrd, command_line):
            argv += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", command_line]
        case FromDisk():
            pass
    for index, disk in enumerate(disks):
        for item in disk.objects():
            argv += ["-object", json.dumps(item)]
        for node in disk.nodes():
            argv += ["-blockdev", json.dumps(node)]
        for device in disk.devices(_turn(boot, index)):
            argv += ["-device", json.dumps(device)]
    return argv
