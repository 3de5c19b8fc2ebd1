# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a PC from a sysfs in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.inventory import firmware

REAL_FLAGS = "processor\t: 0\nflags\t\t: fpu vme sse2 lm\n"
GUEST_FLAGS = "processor\t: 0\nflags\t\t: fpu vme sse2 hypervisor lm\n"


def sysfs(folder: Path, **fields: str) -> Path:
    dmi = folder / "class/dmi/id"
    dmi.mkdir(parents=True)
    for name, text in fields.items():
        (dmi / name).write_text(f"{text}\n")
    return folder


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("PF1ABC23", "PF1ABC23"),
        ("  Dell 00 12 ", "Dell0012"),
        ("VMware-56 4d 8d e3 5f 0b 7a 2c-11 22 33", "VMware-564d8de35f0b7a2..."),
        ("1234567890123456789012345", "1234567890123456789012345"),
        ("12345678901234567890123456", "1234567890123456789012..."),
        *((filler, "") for filler in ("", "0", "0000000000", "00000000-0000", "Not Specified")),
        *((filler, "") for filler in ("To Be Filled By O.E.M.", "To be filled by O.E.M")),
        *((filler, "") for filler in ("Default string", "Default String", "System Serial Number")),
        *(
            (filler, "")
            for filler in ("None", "N/A", "xxxxxxx", "Not Defined", "...........", "0123456789")
        ),
        ("Default1", "Default1"),
        ("000A00", "000A00"),
    ],
)
def test_serial_numbers_as_opengnsys_shows_them(raw: str, shown: str) -> None:
    assert firmware.short_serial(raw) == shown


def test_serial_number_of_this_pc(tmp_path: Path) -> None:
    assert firmware.serial_number(sys=sysfs(tmp_path, product_serial="MJ 0A1B2C")) == "MJ0A1B2C"


def test_a_pc_without_smbios_has_no_serial_number(tmp_path: Path) -> None:
    assert firmware.serial_number(sys=tmp_path) == ""


def test_firmware(tmp_path: Path) -> None:
    assert (firmware.is_efi(sys=tmp_path), firmware.firmware(sys=tmp_path)) == (False, "BIOS")
    (tmp_path / "firmware/efi").mkdir(parents=True)
    assert (firmware.is_efi(sys=tmp_path), firmware.firmware(sys=tmp_path)) == (True, "UEFI")


@pytest.mark.parametrize(
    ("fields", "flags", "name"),
    [
        ({"sys_vendor": "QEMU", "product_name": "Standard PC (Q35)"}, GUEST_FLAGS, "qemu"),
        ({"sys_vendor": "Red Hat", "product_name": "KVM"}, GUEST_FLAGS, "kvm"),
        ({"sys_vendor": "innotek GmbH", "product_name": "VirtualBox"}, GUEST_FLAGS, "virtualbox"),
        ({"sys_vendor": "VMware, Inc.", "product_name": "VMware7,1"}, GUEST_FLAGS, "vmware"),
        (
            {"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"},
            GUEST_FLAGS,
            "hyperv",
        ),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Surface Pro 9"}, REAL_FLAGS, ""),
        ({"sys_vendor": "Xen", "product_name": "HVM domU"}, GUEST_FLAGS, "xen"),
        ({"sys_vendor": "Amazon EC2", "product_name": "m5.metal"}, REAL_FLAGS, ""),
        ({"sys_vendor": "Amazon EC2", "product_name": "m5.large"}, GUEST_FLAGS, "amazon"),
        ({"sys_vendor": "LENOVO", "product_name": "20KH"}, REAL_FLAGS, ""),
        ({}, GUEST_FLAGS, "other"),
        ({}, REAL_FLAGS, ""),
    ],
)
def test_virtual_machines(tmp_path: Path, fields: dict[str, str], flags: str, name: str) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(flags)
    found = firmware.virtual_machine(sys=sysfs(tmp_path / "sys", **fields), cpuinfo=cpuinfo)
    assert found == name
