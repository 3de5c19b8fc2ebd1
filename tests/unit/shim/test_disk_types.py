# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about partition types: the tables of the old engine, both ways."""

from __future__ import annotations

import pytest

from oglib.disk.model import TableKind
from oglib.disk.type_codes import raw_of_code
from oglib.errors import OgErr, UsageError
from unit.shim.old import Old, Ran, answer

MSDOS = """0 EMPTY 1 FAT12 5 EXTENDED f EXTENDED 6 FAT16 e FAT16 7 NTFS b FAT32 c FAT32 11 HFAT12
    12 COMPAQDIAG 16 HFAT16 1e HFAT16 17 HNTFS 1b HFAT32 1c HFAT32 42 WIN-DYNAMIC 82 LINUX-SWAP
    83 LINUX 8e LINUX-LVM a5 FREEBSD a6 OPENBSD a7 CACHE af HFS be SOLARIS-BOOT bf SOLARIS ca CACHE
    da DATA ee GPT ef EFI fb VMFS fd LINUX-RAID"""
GPT = """0700 WINDOWS 0C01 WIN-RESERV 7F00 CHROMEOS-KRN 7F01 CHROMEOS 7F02 CHROMEOS-RESERV
    8200 LINUX-SWAP 8300 LINUX 8301 LINUX-RESERV 8E00 LINUX-LVM A500 FREEBSD-DISK A501 FREEBSD-BOOT
    A502 FREEBSD-SWAP A503 FREEBSD AB00 HFS-BOOT AF00 HFS AF01 HFS-RAID BE00 SOLARIS-BOOT
    BF00 SOLARIS BF01 SOLARIS BF04 SOLARIS BF05 SOLARIS BF02 SOLARIS-SWAP BF03 SOLARIS-DISK
    CA00 CACHE EF00 EFI EF01 MBR EF02 BIOS-BOOT FD00 LINUX-RAID"""
VOLUMES = "10000 LVM-LV 10010 ZFS-VOL"


def pairs(text: str) -> list[tuple[str, str]]:
    words = text.split()
    return list(zip(words[::2], words[1::2], strict=True))


@pytest.mark.proves("ogIdToType", "ogTypeToId")
def test_both_as_commands(old: Old) -> None:
    assert old("ogIdToType", "83") == Ran("LINUX\n", "", 0)
    assert old("ogTypeToId", "LINUX", "GPT") == Ran("8300\n", "", 0)


@pytest.mark.parametrize(("code", "name"), pairs(f"{MSDOS} {GPT} {VOLUMES}"))
def test_every_code_has_its_name(code: str, name: str) -> None:
    assert answer("ogIdToType", code) == name
    assert answer("ogIdToType", code.lower()) == answer("ogIdToType", code.upper()) == name


@pytest.mark.parametrize(
    ("table", "rows"),
    [("MSDOS", pairs(MSDOS)), ("GPT", pairs(GPT)), *[("LVM", pairs(VOLUMES)[:1])]],
)
def test_every_name_has_a_code_that_means_it(table: str, rows: list[tuple[str, str]]) -> None:
    for _, name in rows:
        code = answer("ogTypeToId", name, table)
        assert (code, name) in rows
        assert answer("ogIdToType", str(code), table) == name


def test_names_of_filesystems_are_types_too() -> None:
    assert [answer("ogTypeToId", name) for name in ("EXT4", "EXFAT", "NTFS")] == ["83", "7", "7"]
    assert [answer("ogTypeToId", name, "GPT") for name in ("XFS", "FAT32", "HNTFS")] == [
        "8300",
        "0700",
        "0700",
    ]


@pytest.mark.refuses("ogIdToType", "ogTypeToId")
def test_what_has_no_name(old: Old) -> None:
    assert old("ogIdToType", "99") == Ran("UNKNOWN\n", "", 0)
    assert old("ogTypeToId", "NONSENSE") == Ran("", "", 0)
    assert answer("ogIdToType", "zz") == answer("ogIdToType", "12345") == "UNKNOWN"
    assert old("ogTypeToId", "LINUX", "UNKNOWN") == Ran("", "", 0)
    for name in ("ogIdToType", "ogTypeToId"):
        with pytest.raises(UsageError):
            answer(name)


@pytest.mark.parametrize(
    ("code", "table", "number"),
    [
        ("123", TableKind.MSDOS, OgErr.OUTOFLIMIT),
        ("8G", TableKind.MSDOS, OgErr.OUTOFLIMIT),
        ("", TableKind.GPT, OgErr.OUTOFLIMIT),
        ("12345", TableKind.GPT, OgErr.OUTOFLIMIT),
        ("0001", TableKind.GPT, OgErr.PARTITION),
        ("00", TableKind.MSDOS, OgErr.PARTITION),
    ],
)
def test_codes_that_cannot_be_written(code: str, table: TableKind, number: OgErr) -> None:
    with pytest.raises(UsageError) as told:
        raw_of_code(code, table)
    assert told.value.code is number


def test_codes_that_can_be_written() -> None:
    assert raw_of_code("7", TableKind.MSDOS) == raw_of_code("0x07", TableKind.MSDOS) == "07"
    assert raw_of_code("ef00", TableKind.GPT) == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
    assert raw_of_code("CA00", TableKind.GPT) == raw_of_code("8300", TableKind.GPT)
