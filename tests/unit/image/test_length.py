# SPDX-License-Identifier: GPL-3.0-or-later
"""How long raw content says it is: those that no tool here makes, and heads that lie.

What real tools make: ``tests/disk/image/test_raw_length.py``.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.image.reading.formats.content import Content, content_of
from oglib.image.reading.formats.length import said_bytes

MARKS = {
    "NTFS": (3, b"NTFS    "), "EXFAT": (3, b"EXFAT   "), "FAT32": (82, b"FAT32   "),
    "XFS": (0, b"XFSB"), "EXTFS": (0x438, b"\x53\xef"), "F2FS": (0x400, b"\x10\x20\xf5\xf2"),
    "HFS Plus": (0x400, b"H+"), "BTRFS": (0x10040, b"_BHRfS_M"), "REISERFS": (0x10034, b"ReIsEr"),
    "JFS": (0x8000, b"JFS1"), "LVM": (0x218, b"LVM2 001"), "SWAP": (0xFF6, b"SWAPSPACE2"),
}  # fmt: skip


def head(filesystem: str, *fields: tuple[int, bytes]) -> bytes:
    raw = bytearray(68 << 10)
    for at, data in (MARKS[filesystem], *fields):
        raw[at : at + len(data)] = data
    return bytes(raw)


def says(raw: bytes) -> int:
    return said_bytes(raw, content_of(raw))


def test_hfs_plus_counts_its_blocks() -> None:
    assert says(head("HFS Plus", (0x428, struct.pack(">II", 4096, 5000)))) == 4096 * 5000


def test_of_several_devices_only_the_first_counts() -> None:
    btrfs = head("BTRFS", (0x10070, struct.pack("<Q", 9 << 30)), (0x100D1, struct.pack("<Q", 4096)))
    assert says(btrfs) == 4096
    f2fs = ((0x410, struct.pack("<I", 12)), (0x424, struct.pack("<Q", 99)))
    assert says(head("F2FS", *f2fs)) == 99 << 12
    assert says(head("F2FS", *f2fs, (0x400 + 2201, b"/dev/sdb"))) == 0


def test_a_damaged_gpt_is_not_believed() -> None:
    raw = bytearray(68 << 10)
    raw[510:512] = b"\x55\xaa"
    raw[512:520] = b"EFI PART"
    raw[544:552] = struct.pack("<Q", 1 << 40)
    assert content_of(bytes(raw)) == Content("gpt", "", 512)
    assert says(bytes(raw)) == 0


@pytest.mark.parametrize("filesystem", sorted(MARKS))
@given(
    noise=st.binary(min_size=1, max_size=64), at=st.integers(0, 4096), end=st.integers(0, 68 << 10)
)
def test_any_head_gives_a_number(filesystem: str, noise: bytes, at: int, end: int) -> None:
    mark, _ = MARKS[filesystem]
    near = mark - mark % 4096 + at
    raw = head(filesystem, (near, noise), MARKS[filesystem])[:end]
    assert says(raw) >= 0
    assert said_bytes(raw, Content("", filesystem)) >= 0
