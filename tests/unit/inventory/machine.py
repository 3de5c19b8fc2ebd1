# SPDX-License-Identifier: GPL-3.0-or-later
"""A PC as its sysfs in a folder: what the kernel of a small desktop shows, and nothing more."""

from __future__ import annotations

import struct
from pathlib import Path

DMI = {
    "chassis_type": "3",
    "bios_vendor": "LENOVO",
    "bios_version": "M1AKT4BA",
    "bios_date": "09/15/2020",
    "board_vendor": "LENOVO",
    "board_name": "310B",
    "board_version": "Not Defined",
    "sys_vendor": "LENOVO",
    "product_name": "10MLS0AB00",
    "product_version": "ThinkCentre M710s",
    "product_serial": "PC 0AB1C2",
}
PCI = {
    "0000:00:1f.2": ("0x010601", "0x8086", "0x2922", "ahci"),
    "0000:00:1f.3": ("0x0c0500", "0x8086", "0x2930", ""),
    "0000:01:00.0": ("0x020000", "0x8086", "0x10d3", "e1000e"),
    "0000:02:00.0": ("0x030000", "0x1234", "0x1111", ""),
}
NIC = "0000:01:00.0"


def make_sys(sys: Path, *, efi: bool = False) -> Path:
    """The tree below ``/sys`` of one PC with a network card and a USB keyboard behind a hub."""
    _write(sys / "class/dmi/id", DMI)
    if efi:
        (sys / "firmware/efi").mkdir(parents=True)
    for slot, (kind, vendor, device, driver) in PCI.items():
        folder = sys / "bus/pci/devices" / slot
        _write(folder, {"class": kind, "vendor": vendor, "device": device})
        if driver:
            (sys / "bus/pci/drivers" / driver).mkdir(parents=True)
            (folder / "driver").symlink_to(f"../../drivers/{driver}")
    nic = sys / "class/net/enp1s0"
    _write(nic, {"address": "52:54:00:ab:cd:ef", "speed": "1000", "carrier": "1"})
    (nic / "device").symlink_to(f"../../../bus/pci/devices/{NIC}")
    _write(sys / "class/net/lo", {"address": "00:00:00:00:00:00"})
    usb = sys / "bus/usb/devices"
    _write(usb / "usb1", {"idVendor": "1d6b", "idProduct": "0002", "bDeviceClass": "09"})
    _write(
        usb / "1-1",
        {
            "idVendor": "046d",
            "idProduct": "c31c",
            "bDeviceClass": "00",
            "manufacturer": "Logitech",
            "product": "USB Keyboard",
        },
    )
    _write(usb / "1-1:1.0", {"bInterfaceClass": "03"})
    _write(sys / "class/block/sr0/device", {"vendor": "HL-DT-ST", "model": "DVDRAM GUD0N    "})
    return sys


def add_smbios(sys: Path) -> None:
    """The tables that dmidecode reads: one memory module of 8 GiB (SMBIOS 3.0, type 17)."""
    module = struct.pack(
        "<BBHHHHHHBBBBBHHBBBBBIHHHH",
        *(17, 40, 0x11, 0x10, 0xFFFE, 64, 64, 8192, 0x09, 0, 1, 2, 0x1A, 0x80, 3200),
        *(3, 0, 0, 4, 1, 0, 3200, 1200, 1200, 1200),
    )
    module += b"DIMM 1\0BANK 0\0Kingston\0KHX3200\0\0"
    table = module + struct.pack("<BBH", 127, 4, 0x7F) + b"\0\0"
    entry = bytearray(struct.pack("<5sBBBBBBBIQ", b"_SM3_", 0, 24, 3, 0, 0, 1, 0, len(table), 0))
    entry[5] = -sum(entry) % 256
    (sys / "firmware/dmi/tables").mkdir(parents=True)
    (sys / "firmware/dmi/tables/smbios_entry_point").write_bytes(entry)
    (sys / "firmware/dmi/tables/DMI").write_bytes(table)


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
