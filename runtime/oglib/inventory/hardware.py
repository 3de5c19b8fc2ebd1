# SPDX-License-Identifier: GPL-3.0-or-later
"""What this PC consists of, as one value; reads only.

Put together from sysfs, procfs, the disk probe and dmidecode (memory modules). What a PC does not
tell, as a virtual machine without SMBIOS, is left out and named in ``notes``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oglib.disk.probe import list_disks
from oglib.errors import OgError
from oglib.inventory import devices, firmware, links, memory
from oglib.inventory.devices import Device
from oglib.inventory.firmware import SYS
from oglib.inventory.sanitized import one_line
from oglib.wording.amounts import human_bytes

# SMBIOS specification 3.7, table 17: system enclosure types
_CHASSIS = (
    "Other,Unknown,Desktop,Low-Profile-Desktop,Pizza-Box,Mini-Tower,Tower,Portable,Laptop,Notebook,"
    "Hand-Held,Docking-Station,All-in-One,Sub-Notebook,Space-saving,Lunch-Box,Main-Server-Chassis,"
    "Expansion-Chassis,Sub-Chassis,Bus-Expansion-Chassis,Peripheral-Chassis,RAID-Chassis,"
    "Rack-Mount-Chassis,Sealed-case-PC,Multi-system,CompactPCI,AdvancedTCA,Blade,Blade-Enclosing,"
    "Tablet,Convertible,Detachable,IoT-Gateway,Embedded-PC,Mini-PC,Stick-PC"
)
_UNTOLD_CHASSIS = ("", "Other", "Unknown")
_CHASSIS_LOCK = 0x80  # the top bit says that there is a lock
# PCI classes (two digits) and subclasses (four) of OpenGnsys' words.
_CLASSES = {
    "ide": ("0101",),
    "storage": ("0100", "0104", "0105", "0106", "0107", "0108", "0180"),
    "display": ("03",),
    "network": ("02",),
    "multimedia": ("04",),
    "usb": ("0c03",),
    "firewire": ("0c00",),
    "bus": ("0c05",),
}


@dataclass(frozen=True, slots=True)
class Processor:
    """All processors of the PC, which are of one model."""

    model: str
    sockets: int
    cores: int
    threads: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """One PC. Texts are empty and tuples without members where it does not tell."""

    chassis: str
    firmware: str
    bios: str
    board: str
    model: str
    serial: str
    architecture: str
    virtual_machine: str
    cpu: Processor
    memory_bytes: int
    memory: tuple[memory.MemoryModule, ...]
    ide: tuple[Device, ...]
    storage: tuple[Device, ...]
    disks: tuple[Device, ...]
    cdroms: tuple[Device, ...]
    display: tuple[Device, ...]
    network: tuple[Device, ...]
    interfaces: tuple[links.Interface, ...]
    multimedia: tuple[Device, ...]
    usb: tuple[Device, ...]
    firewire: tuple[Device, ...]
    bus: tuple[Device, ...]
    notes: tuple[str, ...]


def read_hardware(*, sys: Path = SYS, cpuinfo: Path = firmware.CPUINFO) -> Hardware:
    """This PC. What cannot be read is in ``notes``."""
    notes = []
    if not (sys / "class/dmi/id").is_dir():
        notes.append("This PC has no SMBIOS: chassis, BIOS, board, model and serial are unknown.")
    try:
        modules = memory.memory_modules()
    except OgError as error:
        modules = ()
        notes.append(f"Memory modules: {error.message}")
    try:
        disks = _disks()
    except OgError as error:
        disks = ()
        notes.append(f"Disks: {error.message}")
    pci = devices.pci_devices(sys=sys)
    of_class = {
        word: tuple(one for one in pci if one.class_id.startswith(classes))
        for word, classes in _CLASSES.items()
    }
    return Hardware(
        chassis=chassis_name(firmware.dmi("chassis_type", sys=sys)),
        firmware=firmware.firmware(sys=sys),
        bios=_text_of(sys, "bios_vendor", "bios_version", "bios_date"),
        board=_text_of(sys, "board_vendor", "board_name", "board_version"),
        model=_text_of(sys, "sys_vendor", "product_name", "product_version"),
        serial=firmware.serial_number(sys=sys),
        architecture=firmware.architecture(),
        virtual_machine=firmware.virtual_machine(sys=sys, cpuinfo=cpuinfo),
        cpu=parse_cpuinfo(cpuinfo.read_text(errors="replace")),
        memory_bytes=memory.total_bytes(),
        memory=modules,
        ide=of_class["ide"],
        storage=of_class["storage"],
        disks=disks,
        cdroms=devices.cdroms(sys=sys),
        display=of_class["display"],
        network=of_class["network"],
        interfaces=links.interfaces(sys=sys),
        multimedia=of_class["multimedia"],
        usb=(*of_class["usb"], *devices.usb_devices(sys=sys)),
        firewire=of_class["firewire"],
        bus=of_class["bus"],
        notes=tuple(notes),
    )


def chassis_name(number: str) -> str:
    """SMBIOS' number of an enclosure as a word; empty for "other", "unknown" and nonsense."""
    names = _CHASSIS.split(",")
    index = (int(number) & ~_CHASSIS_LOCK) - 1 if number.isdecimal() else -1
    name = names[index].replace("-", " ") if 0 <= index < len(names) else ""
    return "" if name in _UNTOLD_CHASSIS else name


def parse_cpuinfo(text: str) -> Processor:
    """``/proc/cpuinfo``: a paragraph per thread; machines other than x86 name less."""
    threads = [
        _fields(paragraph) for paragraph in text.strip().split("\n\n") if "processor" in paragraph
    ]
    models = [thread.get("model name", "") for thread in threads]
    sockets = {thread.get("physical id", "0") for thread in threads}
    cores = {
        (thread.get("physical id", "0"), thread.get("core id", str(index)))
        for index, thread in enumerate(threads)
    }
    model = one_line(next(filter(None, models), ""))
    return Processor(model, len(sockets), len(cores), len(threads))


def _fields(paragraph: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in paragraph.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def old_listing(hardware: Hardware) -> str:
    """The answer of ogListHardwareInfo: ``word=text`` lines; only cha and boo are always there."""
    total = f"{human_bytes(hardware.memory_bytes)} in all" if hardware.memory_bytes else ""
    lines = [f"cha={hardware.chassis}", f"boo={hardware.firmware}"]
    for word, texts in (
        ("bio", [hardware.bios]),
        ("boa", [hardware.board]),
        ("cpu", [hardware.cpu.model]),
        ("mem", [module_text(one) for one in hardware.memory] or [total]),
        ("ide", _names(hardware.ide)),
        ("sto", _names(hardware.storage)),
        ("dis", _names(hardware.disks)),
        ("cdr", _names(hardware.cdroms)),
        ("vga", _names(hardware.display)),
        ("net", _names(hardware.network)),
        ("mul", _names(hardware.multimedia)),
        ("usb", _names(hardware.usb)),
        ("fir", _names(hardware.firewire)),
        ("bus", _names(hardware.bus)),
        ("mod", [hardware.model]),
    ):
        lines += [f"{word}={text}" for text in texts if text]
    return "\n".join(lines)


def module_text(module: memory.MemoryModule) -> str:
    """``DIMM A1 8.0 GiB DDR4 3200 MT/s Kingston KHX3200``."""
    speed = f"{module.speed_mts} MT/s" if module.speed_mts else ""
    words = (
        *(module.slot, human_bytes(module.size_bytes), module.type, speed),
        *(module.manufacturer, module.part),
    )
    return " ".join(word for word in words if word)


def _names(devices: Iterable[Device]) -> list[str]:
    return [device.name for device in devices]


def _text_of(sys: Path, *fields: str) -> str:
    return " ".join(text for field in fields if (text := firmware.dmi(field, sys=sys)))


def _disks() -> tuple[Device, ...]:
    return tuple(
        Device(one_line(f"{disk.model or disk.path.name} {human_bytes(disk.size_bytes)}"))
        for disk in list_disks()
    )
