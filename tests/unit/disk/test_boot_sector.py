# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a first sector is a table or a filesystem's."""

from __future__ import annotations

import struct

import pytest

from oglib.disk.tables.boot_sector import filesystem_of, has_partitions, header_of
from oglib.image.reading.formats.content import content_of

HEADERS = {
    "NTFS": (3, b"NTFS    "),
    "EXFAT": (3, b"EXFAT   "),
    "BITLOCKER": (3, b"-FVE-FS-"),
    "FAT32": (82, b"FAT32   "),
    "FAT16": (54, b"FAT16   "),
    "FAT12": (54, b"FAT12   "),
}
ROW = struct.pack("<B3sB3sII", 0x80, b"", 0x0C, b"", 2048, 4096)
OFF_THE_DISK = struct.pack("<B3sB3sII", 0, b"", 0x0C, b"", 1 << 31, 4096)
MESSAGE = b"Remove disks or other media. Press any key to restart\r\n".ljust(64, b" ")


def sector(word: str, rows: bytes) -> bytes:
    at, mark = HEADERS.get(word, (3, b""))
    raw = bytearray(512)
    raw[at : at + len(mark)] = mark
    raw[446 : 446 + len(rows)] = rows
    raw[510:] = b"\x55\xaa"
    return bytes(raw)


@pytest.mark.parametrize("word", HEADERS)
@pytest.mark.parametrize("rows", [b"", MESSAGE, OFF_THE_DISK])
def test_a_filesystem(word: str, rows: bytes) -> None:
    assert filesystem_of(sector(word, rows), 100_000) == word


@pytest.mark.parametrize("word", HEADERS)
def test_a_table_behind_the_header_of_a_filesystem(word: str) -> None:
    """Tools that make bootable sticks leave one."""
    raw = sector(word, ROW)
    assert filesystem_of(raw, 100_000) == ""
    assert header_of(raw) == word
    assert content_of(raw).table == "dos"


def test_a_table_and_nothing() -> None:
    assert (filesystem_of(sector("", ROW)), has_partitions(sector("", ROW))) == ("", True)
    assert (filesystem_of(bytes(512)), has_partitions(bytes(512))) == ("", False)
    assert filesystem_of(b"") == ""
