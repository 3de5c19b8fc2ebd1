# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices on the PCI and USB buses from sysfs, with names from pci.ids where that file is there.

No lshw: it would tell no more than sysfs, in a second instead of milliseconds. Without pci.ids a
PCI device is named by its numbers (``8086:1533``), which any search engine knows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from oglib.inventory.firmware import SYS
from oglib.inventory.sanitized import one_line

PCI_IDS = Path("/usr/share/misc/pci.ids")

_USB_HUB = "09"


@dataclass(frozen=True, slots=True)
class Device:
    """One device. ``class_id``: four hexadecimal digits of PCI class and subclass, else empty."""

    name: str
    driver: str = ""
    class_id: str = ""


def pci_devices(*, sys: Path = SYS, pci_ids: Path = PCI_IDS) -> tuple[Device, ...]:
    """All PCI devices in order of their slots."""
    folder = sys / "bus/pci/devices"
    if not folder.is_dir():
        return ()
    slots = sorted(folder.iterdir())
    numbers = [(_hex(slot / "vendor"), _hex(slot / "device")) for slot in slots]
    names = parse_pci_ids(_lines(pci_ids), set(numbers))
    return tuple(
        Device(
            name=names.get(number, ":".join(number)),
            driver=(slot / "driver").resolve().name if (slot / "driver").exists() else "",
            class_id=_hex(slot / "class")[:4],
        )
        for slot, number in zip(slots, numbers, strict=True)
    )


def usb_devices(*, sys: Path = SYS) -> tuple[Device, ...]:
    """USB devices by the names they carry themselves; no hubs, no interfaces of a device."""
    folder = sys / "bus/usb/devices"
    if not folder.is_dir():
        return ()
    found = []
    for one in sorted(folder.iterdir()):
        if not (one / "idVendor").exists() or _read(one / "bDeviceClass") == _USB_HUB:
            continue
        words = one_line(f"{_read(one / 'manufacturer')} {_read(one / 'product')}")
        found.append(Device(words or f"{_read(one / 'idVendor')}:{_read(one / 'idProduct')}"))
    return tuple(found)


def cdroms(*, sys: Path = SYS) -> tuple[Device, ...]:
    """CD and DVD drives."""
    drives = sorted((sys / "class/block").glob("sr*"))
    return tuple(
        Device(one_line(f"{_read(one / 'device/vendor')} {_read(one / 'device/model')}"), "sr")
        for one in drives
    )


def parse_pci_ids(
    lines: Collection[str], wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Names of the wanted (vendor, device) pairs out of pci.ids.

    Format: ``vendor  name`` from the first column, ``device  name`` behind one tab; deeper lines
    are subsystems; a line that begins with ``C`` starts the list of classes.
    """
    vendors = {vendor for vendor, _ in wanted}
    names: dict[tuple[str, str], str] = {}
    vendor, vendor_name = "", ""
    for line in lines:
        if line.startswith("C "):
            break
        if line.startswith(("#", "\t\t")) or not line.strip():
            continue
        number, _, name = line.strip().partition("  ")
        if not line.startswith("\t"):
            vendor, vendor_name = (number, name) if number in vendors else ("", "")
        elif vendor and (vendor, number) in wanted:
            names[vendor, number] = one_line(f"{vendor_name} {name}")
    return names


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _hex(path: Path) -> str:
    """``0x010601`` as ``010601``."""
    return _read(path).removeprefix("0x")
