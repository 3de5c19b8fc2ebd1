# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems recognised by the files that make them what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from oglib.inventory.system import System, SystemKind, identify, system_uuid
from oglib.osconfig.root import TargetRoot
from unit.inventory.trees import (
    DEBIAN,
    GUID,
    WINDOWS_VERSION,
    make_tree,
    make_windows,
)

ELF_32, ELF_64 = b"\x7fELF\x01\x01", b"\x7fELF\x02\x01"
PLIST = (
    "<plist><dict><key>ProductName</key>\n<string>macOS</string>"
    "<key>ProductVersion</key><string>12.6</string></dict></plist>"
)


def found(folder: Path) -> System | None:
    with TargetRoot(folder) as root:
        return identify(root)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (DEBIAN, "Linux:Debian GNU/Linux 13 (trixie) 64 bits"),
        (
            {"etc/os-release": "PRETTY_NAME='Old One'\n", "bin/ls": ELF_32},
            "Linux:Old One",
        ),
        ({"etc/lsb-release": 'DISTRIB_DESCRIPTION="Ubuntu 8.04"\n'}, "Linux:Ubuntu 8.04"),
        ({"etc/redhat-release": "CentOS release 5.11 (Final)\n"}, "Linux:CentOS release 5.11"),
        (
            {"etc/os-release": "PRETTY_NAME=FreeBSD\nID=freebsd\n", "bin/ls": ELF_64},
            "BSD:FreeBSD 64 bits",
        ),
        (
            {"etc/os-release": 'PRETTY_NAME="Debian GNU/Hurd"\nID=debian\n', "hurd/startup": ""},
            "Hurd:Debian GNU/Hurd",
        ),
        ({"hurd/init": ELF_32}, "Hurd:GNU/Hurd"),
        (
            {"android-8.1/system/build.prop": "a=b\nro.build.version.release=8.1.0\n"},
            "Android:Android 8.1.0",
        ),
        (
            {"system/build.prop": "ro.build.version.release=13\n", "system/lib64/libc.so": ""},
            "Android:Android 13 64 bits",
        ),
        (
            {"Boot/BCD": b"regf" + "Windows Boot Manager".encode("utf-16-le")},
            "WinLoader:Windows Boot loader",
        ),
        (
            {"efi/microsoft/boot/bcd": b"regf" + "Windows Recovery".encode("utf-16-le")},
            "WinLoader:Windows Recovery loader",
        ),
        ({"EFI/Microsoft/Boot/BCD": b"regf"}, "WinLoader:Windows loader"),
        (
            {"System/Library/CoreServices/SystemVersion.plist": PLIST},
            "MacOS:macOS 12.6",
        ),
        ({"mach_kernel": b"\xcf\xfa\xed\xfe"}, "MacOS:Mac OS X 64 bits"),
        (
            {"boot/kernel/kernel": ELF_64 + b"\0@(#)FreeBSD 12.1-RELEASE r354\0"},
            "BSD:FreeBSD 12.1-RELEASE 64 bits",
        ),
        ({"bsd": ELF_32 + b"\0OpenBSD 7.5 (GENERIC)"}, "BSD:OpenBSD 7.5"),
        ({"etc/release": "   Oracle Solaris 11.4 X86\n  Copyright\n"}, "Solaris:Oracle Solaris"),
        ({"boot/grub/grub.cfg": "set a=b\n"}, "GrubLoader:GRUB Loader"),
        ({"efi/debian/grubx64.EFI": b"MZ"}, "GrubLoader:GRUB Loader"),
    ],
)
def test_systems(tmp_path: Path, files: Mapping[str, str | bytes], text: str) -> None:
    make_tree(tmp_path, files)
    system = found(tmp_path)
    assert system is not None
    assert system.text.startswith(text)


def test_no_system(tmp_path: Path) -> None:
    make_tree(tmp_path, {"Documents/letter.txt": "Dear all"})
    assert found(tmp_path) is None


@pytest.mark.parametrize(
    ("values", "description"),
    [
        (
            {"ProductName": "Windows 10 Pro", "CurrentBuild": "19045", "DisplayVersion": "22H2"},
            "Windows 10 Pro 22H2",
        ),
        (
            {"ProductName": "Windows 10 Pro", "CurrentBuild": "22000", "DisplayVersion": "21H2"},
            "Windows 11 Pro 21H2",
        ),
        (
            {"ProductName": "Windows 10 Pro", "CurrentBuild": "18362", "ReleaseId": "1903"},
            "Windows 10 Pro 1903",
        ),
        (
            {"ProductName": "Windows Server 2025 Standard", "CurrentBuild": "26100"},
            "Windows Server 2025 Standard",
        ),
        ({"ProductName": "Microsoft Windows XP", "CurrentBuild": "x"}, "Microsoft Windows XP"),
    ],
)
def test_windows_by_its_build(tmp_path: Path, values: dict[str, str], description: str) -> None:
    make_windows(tmp_path, {WINDOWS_VERSION: values})
    assert found(tmp_path) == System(SystemKind.WINDOWS, description, is_64_bits=True)


def test_a_windows_of_32_bits_spelled_as_it_likes(tmp_path: Path) -> None:
    make_windows(tmp_path)
    (tmp_path / "Windows/SysWOW64").rmdir()
    (tmp_path / "Windows/System32").rename(tmp_path / "Windows/SYSTEM32")
    (tmp_path / "Windows").rename(tmp_path / "WINDOWS")
    system = found(tmp_path)
    assert system is not None
    assert system.text == "Windows:Windows 11 Education 23H2"


@pytest.mark.parametrize("content", [b"", b"junk" * 4096])
def test_a_windows_with_a_damaged_registry_is_still_a_windows(
    tmp_path: Path, content: bytes
) -> None:
    make_windows(tmp_path)
    (tmp_path / "Windows/System32/config/SOFTWARE").write_bytes(content)
    system = found(tmp_path)
    assert system is not None
    assert system.text == "Windows:Windows 64 bits"
    assert "SOFTWARE is damaged" in system.note


def test_bits_are_read_through_links_that_stay_inside(tmp_path: Path) -> None:
    make_tree(tmp_path, {**DEBIAN, "usr/bin/ls": b"", "usr/bin/busybox": ELF_64})
    (tmp_path / "bin").symlink_to("/usr/bin")
    (tmp_path / "usr/bin/ls").unlink()
    (tmp_path / "usr/bin/ls").symlink_to("/bin/busybox")
    system = found(tmp_path)
    assert system is not None
    assert system.is_64_bits


def test_the_bits_of_oglive_itself_are_not_read(tmp_path: Path) -> None:
    make_tree(tmp_path, {"etc/os-release": "PRETTY_NAME=Empty\n"})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ls").symlink_to("/../../../../../../../../usr/bin/ls")
    system = found(tmp_path)
    assert system is not None
    assert not system.is_64_bits


def test_uuids(tmp_path: Path) -> None:
    make_tree(tmp_path / "linux", DEBIAN)
    make_windows(tmp_path / "windows")
    make_tree(tmp_path / "grub", {"boot/grub/grub.cfg": ""})
    with TargetRoot(tmp_path / "linux") as root:
        assert system_uuid(root, identify(root), "ABC-DEF") == "ABC-DEF"
        assert system_uuid(root, identify(root), "") == "0123456789abcdef0123456789abcdef"
        assert system_uuid(root, None, "ABC-DEF") == ""
    with TargetRoot(tmp_path / "windows") as root:
        assert system_uuid(root, identify(root), "0123456789ABCDEF") == GUID
    with TargetRoot(tmp_path / "grub") as root:
        assert system_uuid(root, identify(root), "ABC-DEF") == ""
