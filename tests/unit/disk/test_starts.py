# SPDX-License-Identifier: GPL-3.0-or-later
"""What can start a disk, and that it is asked in one place."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from oglib.boot.firmware import check
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.starts import starters, starters_of, the_only
from oglib.errors import OgErr, OgError, PartitionError
from unit.sources import trees

BIOS, UEFI = Firmware.BIOS, Firmware.UEFI
GPT, MSDOS = TableKind.GPT, TableKind.MSDOS


@pytest.mark.parametrize(
    ("table", "types", "code", "able", "word"),
    [
        (GPT, {"EFI", "LINUX"}, True, {UEFI}, "uefi"),
        (GPT, {"BIOS-BOOT", "LINUX"}, True, {BIOS}, "bios"),
        (GPT, {"BIOS-BOOT", "LINUX"}, False, set(), ""),
        (GPT, {"EFI", "BIOS-BOOT"}, True, {BIOS, UEFI}, ""),
        (GPT, {"EFI", "BIOS-BOOT"}, False, {UEFI}, "uefi"),
        (GPT, {"LINUX"}, True, set(), ""),
        (MSDOS, {"LINUX"}, True, {BIOS}, "bios"),
        (MSDOS, {"LINUX"}, False, set(), ""),
        (MSDOS, {"EFI", "NTFS"}, True, {BIOS, UEFI}, ""),
        (TableKind.NONE, set(), True, set(), ""),
        (TableKind.LVM, {"LINUX"}, True, set(), ""),
    ],
)
def test_what_starts_a_disk(
    table: TableKind, types: set[str], code: bool, able: set[Firmware], word: str
) -> None:
    assert starters(table, types, boot_code=code) == able
    assert the_only(able) == word


@pytest.mark.parametrize("code", [b"", bytes(440) + b"\1" * 72, bytes(439) + b"\1"])
def test_of_a_disk_its_boot_code_is_looked_at(tmp_path: Path, code: bytes) -> None:
    disk = disk_at(tmp_path / "disk", {"EFI", "BIOS-BOOT"})
    disk.path.write_bytes(code.ljust(4096, b"\0"))
    assert starters_of(disk) == ({BIOS, UEFI} if any(code[:440]) else {UEFI})


def test_a_disk_that_cannot_be_read_is_no_disk_without_boot_code(tmp_path: Path) -> None:
    disk = disk_at(tmp_path / "gone", {"BIOS-BOOT"})
    with pytest.raises(PartitionError, match="what starts it is not known"):
        starters_of(disk)
    no_bios = replace(disk, partitions=())
    assert starters_of(no_bios) == set()


def disk_at(path: Path, types: Collection[str]) -> Disk:
    parts = tuple(
        Partition(
            number=number, start_bytes=number << 20, size_bytes=1 << 20, type=kind, type_id=""
        )
        for number, kind in enumerate(sorted(types), 1)
    )
    return Disk(number=1, path=path, size_bytes=8 << 20, table=GPT, partitions=parts)


@pytest.mark.parametrize(
    ("able", "here", "code"),
    [
        ({BIOS}, UEFI, OgErr.NOTBIOS),
        ({UEFI}, BIOS, OgErr.NOTUEFI),
        ({BIOS, UEFI}, BIOS, None),
        ({UEFI}, UEFI, None),
        (set(), UEFI, None),
    ],
)
def test_what_other_firmware_alone_starts_is_refused(
    able: set[Firmware], here: Firmware, code: OgErr | None
) -> None:
    def told(theirs: str, ours: str) -> str:
        return f"{theirs} not {ours}"

    if code is None:
        check(able, here, told, hint="")
        return
    with pytest.raises(OgError, match="not") as caught:
        check(able, here, told, hint="none")
    assert caught.value.code == code


def test_what_started_this_pc(tmp_path: Path) -> None:
    assert running_firmware(sys=tmp_path) is BIOS
    (tmp_path / "firmware/efi").mkdir(parents=True)
    assert running_firmware(sys=tmp_path) is UEFI


_LAYOUTS = "oglib/deploy/system/layouts.py"  # names of layouts that every repository is made with
# Words of which one room is the owner: (word, who may say it, and why)
OWNERS = {
    "bios": {"oglib/disk/firmware.py", _LAYOUTS},
    "uefi": {"oglib/disk/firmware.py", _LAYOUTS},
    "firmware/efi": {"oglib/disk/firmware.py"},
    "BIOS-BOOT": {
        "oglib/disk/starts.py",
        "oglib/disk/types.py",  # the types of a table themselves
    },
    "NOTUEFI": {"oglib/boot/firmware.py", "oglib/errors.py", "oglib/shim/messages.py"},
    "NOTBIOS": {"oglib/boot/firmware.py", "oglib/errors.py", "oglib/shim/messages.py"},
}


@cache
def sayings() -> Mapping[str, set[str]]:
    """Which files say each of the words; the sources are read once for all of them."""
    found: dict[str, set[str]] = {word: set() for word in OWNERS}
    for name, tree in trees("oglib", saying="|".join(OWNERS)):
        for node in ast.walk(tree):
            said: object = ""
            if isinstance(node, ast.Constant):
                said = node.value
            elif isinstance(node, ast.Attribute):
                said = node.attr if node.attr in OgErr.__members__ else ""
            if isinstance(said, str) and (word := said.removeprefix("/sys/")) in found:
                found[word].add(name)
    return found


@pytest.mark.parametrize("word", OWNERS)
def test_nobody_else_judges_firmware(word: str) -> None:
    assert sayings()[word] - OWNERS[word] == set()
