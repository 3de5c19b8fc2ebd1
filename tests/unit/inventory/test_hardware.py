# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices, links and memory from a sysfs in a folder and from captured output of tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.inventory import devices, links
from oglib.inventory.devices import Device, parse_pci_ids
from oglib.inventory.hardware import (
    Hardware,
    Processor,
    chassis_name,
    module_text,
    old_listing,
    parse_cpuinfo,
)
from oglib.inventory.links import Interface
from oglib.inventory.memory import MemoryModule, parse_dmidecode, total_bytes
from unit.inventory.machine import make_sys

SAMPLES = Path(__file__).parent / "samples"


def test_memory_modules_from_dmidecode() -> None:
    modules = parse_dmidecode((SAMPLES / "dmidecode-17.txt").read_text())
    assert modules == (
        MemoryModule("ChannelA-DIMM1", 8 << 30, "DDR4", 2667, "Kingston", "KHX3200C16D4/8GX"),
        MemoryModule("DIMM 0", 2 << 30, "RAM", 0, "QEMU", ""),
    )
    assert [module_text(one) for one in modules] == [
        "ChannelA-DIMM1 8.0 GiB DDR4 2667 MT/s Kingston KHX3200C16D4/8GX",
        "DIMM 0 2.0 GiB RAM QEMU",
    ]


@pytest.mark.parametrize("text", ["", "# dmidecode 3.6\n# No SMBIOS nor DMI entry point found\n"])
def test_no_smbios_no_modules(text: str) -> None:
    assert parse_dmidecode(text) == ()


def test_usable_memory(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:        2012345 kB\nMemFree: 1 kB\n")
    assert total_bytes(meminfo) == 2012345 * 1024


def test_pci_devices_with_names_drivers_and_classes(tmp_path: Path) -> None:
    found = devices.pci_devices(sys=make_sys(tmp_path), pci_ids=SAMPLES / "pci.ids")
    assert found == (
        Device(
            "Intel Corporation 82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]",
            "ahci",
            "0106",
        ),
        Device("Intel Corporation 82801I (ICH9 Family) SMBus Controller", "", "0c05"),
        Device("Intel Corporation 82574L Gigabit Network Connection", "e1000e", "0200"),
        Device("1234:1111", "", "0300"),
    )


def test_pci_devices_without_a_list_of_names(tmp_path: Path) -> None:
    found = devices.pci_devices(sys=make_sys(tmp_path), pci_ids=tmp_path / "none")
    assert [one.name for one in found] == ["8086:2922", "8086:2930", "8086:10d3", "1234:1111"]


def test_a_class_is_not_a_vendor() -> None:
    lines = (SAMPLES / "pci.ids").read_text().splitlines()
    assert parse_pci_ids(lines, {("C 01", "06"), ("01", "06")}) == {}


def test_usb_devices_are_no_hubs_and_no_interfaces(tmp_path: Path) -> None:
    assert devices.usb_devices(sys=make_sys(tmp_path)) == (Device("Logitech USB Keyboard"),)


def test_cd_drives(tmp_path: Path) -> None:
    assert devices.cdroms(sys=make_sys(tmp_path)) == (Device("HL-DT-ST DVDRAM GUD0N", "sr"),)


def test_a_pc_without_buses(tmp_path: Path) -> None:
    assert devices.pci_devices(sys=tmp_path) == ()
    assert devices.usb_devices(sys=tmp_path) == ()
    assert links.interfaces(sys=tmp_path) == ()


def test_interfaces_are_hardware(tmp_path: Path) -> None:
    assert links.interfaces(sys=make_sys(tmp_path)) == (
        Interface("enp1s0", "52:54:00:AB:CD:EF", "e1000e", 1000, has_link=True),
    )


@pytest.mark.parametrize(
    ("said", "mbps"), [("2500", 2500), ("-1", None), ("4294967295", None), ("0", None), ("", None)]
)
def test_speed_of_a_link(tmp_path: Path, said: str, mbps: int | None) -> None:
    sys = make_sys(tmp_path)
    (sys / "class/net/enp1s0/speed").write_text(f"{said}\n")
    assert links.link_speed("enp1s0", sys=sys) == mbps


def test_a_card_that_is_down_has_no_speed(tmp_path: Path) -> None:
    assert links.link_speed("enp9s9", sys=tmp_path) is None


def test_processors() -> None:
    text = (SAMPLES / "cpuinfo-2-cores-4-threads.txt").read_text()
    assert parse_cpuinfo(text) == Processor("Intel(R) Core(TM) i3-7100 CPU @ 3.90GHz", 1, 2, 4)


def test_processors_of_other_machines_name_less() -> None:
    assert parse_cpuinfo("processor\t: 0\nBogoMIPS\t: 50\n\nprocessor\t: 1\n") == Processor(
        "", 1, 2, 2
    )


@pytest.mark.parametrize(
    ("number", "name"),
    [("3", "Desktop"), ("131", "Desktop"), ("35", "Mini PC"), ("1", ""), ("", ""), ("99", "")],
)
def test_chassis(number: str, name: str) -> None:
    assert chassis_name(number) == name


def test_old_lines_leave_out_what_is_not_known() -> None:
    hardware = Hardware(
        **dict.fromkeys(("chassis", "bios", "board", "model", "serial", "virtual_machine"), ""),
        firmware="UEFI",
        architecture="x86_64",
        cpu=Processor("Fast CPU", 1, 4, 8),
        memory_bytes=2 << 30,
        memory=(),
        ide=(),
        storage=(Device("A disk controller"), Device("Another")),
        disks=(Device("Disk 8.0 GiB"),),
        cdroms=(),
        display=(),
        network=(Device("A card"),),
        interfaces=(),
        multimedia=(),
        usb=(),
        firewire=(),
        bus=(),
        notes=(),
    )
    assert old_listing(hardware).splitlines() == [
        "cha=",
        "boo=UEFI",
        "cpu=Fast CPU",
        "mem=2.0 GiB in all",
        "sto=A disk controller",
        "sto=Another",
        "dis=Disk 8.0 GiB",
        "net=A card",
    ]
