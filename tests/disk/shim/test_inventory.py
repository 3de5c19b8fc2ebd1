# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands about this PC (its sysfs put in place of the host's) and its systems."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from disk.inventory.room import (
    BROKEN,
    EMPTY,
    LINUX,
    LINUX_UUID,
    MIB,
    PLACES,
    RAW,
    WINDOWS,
    make_disk,
)
from oglib.errors import OgErr
from unit.inventory.machine import add_smbios, make_sys
from unit.inventory.trees import GUID
from unit.shim.old import Old, Ran

IN_PLACE = 'mount --bind "$1" /sys; shift; exec "$@"'


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_disk(tmp_path_factory.mktemp("systems"))


def on_pc(
    machine: Path, name: str, *words: str, disk: Path | None = None, log: Path = Path("/dev/null")
) -> Ran:
    """The command with the folder ``machine`` as ``/sys``, in a mount namespace of its own."""
    done = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-e", "-c", IN_PLACE, "sh", machine),
            *(sys.executable, "-I", "-m", "oglib.shim", name, *words),
        ],
        env={"PATH": os.environ["PATH"], "OG_DISKS": str(disk or ""), "OGLOGFILE": str(log)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.stdout, done.stderr, done.returncode)


@pytest.mark.proves("ogGetOsType")
@pytest.mark.parametrize(
    ("number", "said"), [(LINUX, "Linux\n"), (WINDOWS, "Windows\n"), (EMPTY, ""), (RAW, "")]
)
def test_os_type(old: Old, disk: Path, number: int, said: str) -> None:
    assert old("ogGetOsType", 1, number, disks=[disk]) == Ran(said, "", 0)


@pytest.mark.proves("ogGetOsVersion")
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (LINUX, "Linux:Debian GNU/Linux 13 (trixie) 64 bits\n"),
        (WINDOWS, "Windows:Windows 11 Education 23H2 64 bits\n"),
        (EMPTY, ""),
    ],
)
def test_os_version(old: Old, disk: Path, number: int, said: str) -> None:
    assert old("ogGetOsVersion", 1, number, disks=[disk]) == Ran(said, "", 0)


@pytest.mark.proves("ogGetOsUuid")
@pytest.mark.parametrize(
    ("number", "said"), [(LINUX, f"{LINUX_UUID}\n"), (WINDOWS, f"{GUID}\n"), (EMPTY, "")]
)
def test_os_uuid(old: Old, disk: Path, number: int, said: str) -> None:
    assert old("ogGetOsUuid", 1, number, disks=[disk]) == Ran(said, "", 0)


@pytest.mark.proves("ogListSoftware")
@pytest.mark.parametrize(
    ("number", "lines"),
    [
        (
            LINUX,
            ["Debian GNU/Linux 13 (trixie) 64 bits", "bash 5.2.37", "zlib1g 1.3.1"],
        ),
        (
            WINDOWS,
            ["Windows 11 Education 23H2 64 bits", "7-Zip 23.01 (x64) 23.01", "GIMP ñ 2.10.36"],
        ),
    ],
)
def test_list_software(old: Old, disk: Path, number: int, lines: list[str]) -> None:
    ran = old("ogListSoftware", 1, number, disks=[disk])
    assert (ran.stdout.splitlines(), ran.stderr, ran.status) == (lines, "", 0)


@pytest.mark.refuses("ogGetOsType", "ogGetOsVersion", "ogGetOsUuid", "ogListSoftware")
@pytest.mark.parametrize("name", ["ogGetOsType", "ogGetOsVersion", "ogGetOsUuid", "ogListSoftware"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), OgErr.FORMAT),
        (("1",), OgErr.FORMAT),
        (("1", "x"), OgErr.FORMAT),
        (("2", "1"), OgErr.NOTFOUND),
        (("1", "9"), OgErr.NOTFOUND),
        (("1", str(BROKEN)), OgErr.PARTITION),
    ],
)
def test_systems_that_cannot_be_asked(
    old: Old, disk: Path, name: str, words: tuple[str, ...], code: OgErr
) -> None:
    ran = old(name, *words, disks=[disk])
    assert (ran.stdout, ran.status) == ("", code)
    assert ran.stderr


@pytest.mark.refuses("ogListSoftware")
def test_no_system_has_no_software(old: Old, disk: Path) -> None:
    ran = old("ogListSoftware", 1, EMPTY, disks=[disk])
    assert (ran.stdout, ran.status) == ("", OgErr.NOTOS)


@pytest.mark.refuses("ogGetOsVersion", "ogGetOsUuid", "ogListSoftware")
@pytest.mark.parametrize("name", ["ogGetOsVersion", "ogGetOsUuid", "ogListSoftware"])
def test_what_cannot_be_mounted_is_no_silence(old: Old, disk: Path, name: str) -> None:
    ran = old(name, 1, RAW, disks=[disk])
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)


def test_reading_changes_nothing(old: Old, disk: Path) -> None:
    healthy = slice(0, PLACES[BROKEN][0] * MIB)
    before = disk.read_bytes()[healthy]
    for number in (LINUX, WINDOWS, EMPTY):
        assert old("ogGetOsUuid", 1, number, disks=[disk]).status == 0
    assert disk.read_bytes()[healthy] == before


@pytest.mark.proves("ogGetArch")
def test_arch(old: Old) -> None:
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout
    assert old("ogGetArch") == Ran(machine, "", 0)


@pytest.mark.proves("ogGetSerialNumber")
@pytest.mark.parametrize(
    ("serial", "said"),
    [
        ("PC 0AB1C2", "PC0AB1C2\n"),
        ("VMware-56 4d 8d e3 5f 0b 7a 2c-11 22 33", "VMware-564d8de35f0b7a2...\n"),
        ("To Be Filled By O.E.M.", ""),
        ("00000000", ""),
    ],
)
def test_serial_number(tmp_path: Path, serial: str, said: str) -> None:
    machine = make_sys(tmp_path)
    (machine / "class/dmi/id/product_serial").write_text(f"{serial}\n")
    assert on_pc(machine, "ogGetSerialNumber") == Ran(said, "", 0)


@pytest.mark.proves("ogIsEfiActive")
@pytest.mark.parametrize("efi", [True, False])
def test_efi_or_bios(tmp_path: Path, efi: bool) -> None:
    assert on_pc(make_sys(tmp_path, efi=efi), "ogIsEfiActive") == Ran("", "", 0 if efi else 1)


@pytest.mark.proves("ogListHardwareInfo")
def test_hardware(tmp_path: Path, disk: Path) -> None:
    machine = make_sys(tmp_path, efi=True)
    add_smbios(machine)
    log = tmp_path / "log"
    ran = on_pc(machine, "ogListHardwareInfo", disk=disk, log=log)
    assert (ran.stderr, ran.status) == ("", 0)
    lines = ran.stdout.splitlines()
    heading = lines.pop(0)
    assert re.fullmatch(r"[-0-9]{10} [:0-9]{8} info: Hardware inventory", heading)
    assert log.read_text() == f"{heading}\n"
    assert lines[:2] == ["cha=Desktop", "boo=UEFI"]
    assert [line for line in lines if line[:4] in ("bio=", "boa=", "mem=", "mod=", "cdr=")] == [
        "bio=LENOVO M1AKT4BA 09/15/2020",
        "boa=LENOVO 310B",
        "mem=DIMM 1 8.0 GiB DDR4 3200 MT/s Kingston KHX3200",
        "cdr=HL-DT-ST DVDRAM GUD0N",
        "mod=LENOVO 10MLS0AB00 ThinkCentre M710s",
    ]
    assert " ".join(line[:3] for line in lines[2:]) == (
        "bio boa cpu mem sto dis cdr vga net usb bus mod"
    )
    assert "dis=disk.img 170.0 MiB" in lines
    assert "usb=Logitech USB Keyboard" in lines


def test_a_pc_without_smbios_says_so(tmp_path: Path, disk: Path) -> None:
    (tmp_path / "class").mkdir()
    ran = on_pc(tmp_path, "ogListHardwareInfo", disk=disk)
    assert ran.status == 0
    assert "inventory\ncha=\nboo=BIOS\ncpu=" in ran.stdout
    assert "no SMBIOS" in ran.stderr


@pytest.mark.refuses("ogGetArch", "ogGetSerialNumber", "ogIsEfiActive", "ogListHardwareInfo")
@pytest.mark.parametrize(
    "name", ["ogGetArch", "ogGetSerialNumber", "ogIsEfiActive", "ogListHardwareInfo"]
)
def test_facts_of_this_pc_take_no_argument(old: Old, name: str) -> None:
    ran = old(name, "1")
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)
    assert name in ran.stderr
