# SPDX-License-Identifier: GPL-3.0-or-later
"""What small filesystems made by hand say is used, and the log of an XFS as a ring."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.filesystem.kinds import KINDS
from oglib.filesystem.structures import xfs
from oglib.filesystem.structures.ext import traits
from oglib.filesystem.structures.pieces import ALL, Least
from oglib.filesystem.used import Unreadable, used_pieces

SECTOR = 512


def used(name: str, image: bytes | bytearray) -> set[int]:
    """The sectors that are used."""
    found: set[int] = set()
    for piece in used_pieces(name, lambda offset, size: bytes(image[offset : offset + size])):
        assert not isinstance(piece, Least)
        for at in range(piece.units):
            if piece.bits == ALL or piece.bits >> at & 1:
                start = piece.start + at * piece.unit
                found |= set(range(start // SECTOR, -(-(start + piece.unit) // SECTOR)))
    return found


def fat12(entries: list[int]) -> bytearray:
    """A FAT12 of 100 sectors: one of them before two FATs of one and one of root folder."""
    image = bytearray(100 * SECTOR)
    struct.pack_into("<HBHBHH", image, 11, SECTOR, 1, 1, 2, 16, 100)
    struct.pack_into("<H", image, 22, 1)
    packed = sum(entry << 12 * at for at, entry in enumerate(entries))
    for fat in (1, 2):
        image[fat * SECTOR : fat * SECTOR + 200] = packed.to_bytes(200, "little")
    return image


def test_entries_of_twelve_bits() -> None:
    chain = [0xFF8, 0xFFF, 3, 4, 0xFFF, 0, 0xFF7, 0xFFF]
    # clusters 2, 3, 4 and 7; 5 is free, 6 is bad
    assert used("fat12", fat12(chain)) == {0, 1, 2, 3, 4, 5, 6, 9}
    assert used("fat12", fat12([0xFF8, 0xFFF, *[0] * 95, 0xFFF])) == {0, 1, 2, 3, 99}


@pytest.mark.parametrize("at", [11, 13, 14, 16, 19])
def test_a_fat_without_numbers_is_unreadable(at: int) -> None:
    image = fat12([0xFF8, 0xFFF])
    image[at : at + 2 if at != 13 else at + 1] = bytes(2 if at != 13 else 1)
    with pytest.raises(Unreadable):
        used("fat12", image)


def exfat(second: bool = False) -> bytearray:
    """16 clusters of one sector from sector 40, FATs at 24 and 25, the root folder in the first."""
    image = bytearray(60 * SECTOR)
    image[3:11] = b"EXFAT   "
    struct.pack_into("<IIIII", image, 80, 24, 1, 40, 16, 2)
    struct.pack_into("<HBBB", image, 106, int(second), 9, 0, 2)
    for fat in (24, 25):
        struct.pack_into("<18I", image, fat * SECTOR, *[0xFFFFFFFF] * 18)
    for number, cluster in enumerate((3, 4)):
        row = 40 * SECTOR + 32 * number
        struct.pack_into("<BB18xIQ", image, row, 0x81, number, cluster, 2)
        struct.pack_into("<H", image, (40 + cluster - 2) * SECTOR, 0b1000_0111 | number << 15)
    return image


@pytest.mark.parametrize("second", [False, True])
def test_the_bitmap_of_an_exfat_is_the_active_one(second: bool) -> None:
    clusters = {0, 1, 2, 7} | ({15} if second else set())
    assert used("exfat", exfat(second)) == set(range(40)) | {40 + one for one in clusters}


def test_an_exfat_whose_folder_goes_round_is_unreadable() -> None:
    image = exfat()
    image[40 * SECTOR] = image[40 * SECTOR + 32] = 0x05
    for at in range(2, 16):
        image[40 * SECTOR + 32 * at] = 0x05
    struct.pack_into("<I", image, 24 * SECTOR + 8, 2)
    with pytest.raises(Unreadable):
        used("exfat", image)


def test_hfsplus_counts_from_the_highest_bit() -> None:
    image = bytearray(64 * 512)
    struct.pack_into(">2sH", image, 1024, b"H+", 4)
    struct.pack_into(">II", image, 1024 + 40, 512, 20)
    struct.pack_into(">II", image, 1024 + 128, 10, 1)
    image[10 * 512 : 10 * 512 + 3] = bytes((0b1110_0000, 0b0010_0000, 0b0001_1111))
    assert used("hfsplus", image) == {0, 1, 2, 10, 19}
    struct.pack_into(">I", image, 1024 + 44, 8 * 512 + 1)  # more than the file has bits
    with pytest.raises(Unreadable):
        used("hfsplus", image)


def log_of(turns: list[int], record: int, *, operations: int = 1, flags: int = 0x20) -> xfs._Log:
    """A ring of sectors that carry these turns, and one record at a place of it."""
    count = len(turns)
    image = bytearray(b"".join(struct.pack(">I", turn).ljust(SECTOR, b"\0") for turn in turns))
    head = bytearray(SECTOR)
    struct.pack_into(">IIII", head, 0, 0xFEEDBABE, turns[record], 2, SECTOR)
    struct.pack_into(">I", head, 40, operations)
    struct.pack_into(">I", head, 320, 32768)
    image[record * SECTOR : (record + 1) * SECTOR] = head
    image[(record + 1) % count * SECTOR + 9] = flags
    return xfs._Log(lambda offset, size: bytes(image[offset : offset + size]), 0, count)


@pytest.mark.parametrize("head", range(40))
def test_a_log_ends_wherever_the_ring_is(head: int) -> None:
    turns = [8] * head + [7] * (40 - head)
    record = (head - 2) % 40
    assert log_of(turns, record).is_empty()
    assert not log_of(turns, record, flags=0).is_empty()
    assert not log_of(turns, record, operations=2).is_empty()
    assert not log_of(turns, (head - 3) % 40).is_empty()


def test_a_log_that_was_never_full() -> None:
    assert log_of([1, 1, *[0] * 38], 0).is_empty()
    assert not log_of([0] * 40, 7).is_empty()


@pytest.mark.parametrize(
    ("mounts", "most", "due"),
    [(20, 5, True), (5, 5, True), (4, 5, False), (20, -1, False), (20, 0, False)],
)
def test_when_the_check_of_an_ext_is_due(mounts: int, most: int, due: bool) -> None:
    block = struct.pack("<52xHhH", mounts, most, 0xEF53).ljust(1024, b"\0")
    image = bytes(1024) + block
    assert traits(lambda offset, size: image[offset : offset + size]).check_due is due


@given(
    st.sampled_from([name for name, kind in KINDS.items() if kind.partclone]),
    st.binary(max_size=3000),
    st.integers(0, 70000),
)
def test_garbage_is_unreadable_and_nothing_else(name: str, data: bytes, offset: int) -> None:
    image = bytes(offset) + data
    try:
        for _ in used_pieces(name, lambda at, size: image[at : at + size]):
            pass
    except Unreadable:
        pass


def test_a_kind_without_a_row_is_no_answer() -> None:
    with pytest.raises(Unreadable):
        list(used_pieces("jfs", lambda _offset, _size: b""))
