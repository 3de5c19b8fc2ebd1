# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a GPT: what is said of a partition is written, what is not stays to the byte."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.disk.tables.gpt import Copy, Marks, Row, blank, fitting_name, laid_out, read_copy

LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
OTHER = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"
ONE = "11111111-2222-3333-4444-555555555555"
TWO = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECTORS = 100_000
ODD_NAME = b"\x3d\xd8x\0\0\0left"  # half of a pair, and something behind the end


def entry(first: int, last: int, name: bytes = b"n\0a\0") -> bytes:
    kind = UUID(LINUX).bytes_le
    return struct.pack("<16s16sQQQ72s", kind, UUID(TWO).bytes_le, first, last, 4, name)


def copy() -> Copy:
    entries = (entry(2048, 4095) + bytes(128) + entry(4096, 8191, ODD_NAME)).ljust(16384, b"\0")
    return Copy(1, SECTORS - 1, 34, SECTORS - 34, bytes(16), 2, 128, entries)


def read_again(table: Copy, sectors: int = SECTORS) -> tuple[Copy, Copy]:
    laid = laid_out(table, sectors, 512)
    disk = bytearray(sectors * 512)
    for at, raw in (*laid.primary, *laid.backup):
        disk[at * 512 : at * 512 + len(raw)] = raw

    def read(offset: int, length: int) -> bytes:
        return bytes(disk[offset : offset + length])

    both = read_copy(read, 1, sectors, 512), read_copy(read, sectors - 1, sectors, 512)
    assert isinstance(both[0], Copy)
    assert isinstance(both[1], Copy)
    return both[0], both[1]


def test_what_is_said_is_written() -> None:
    rows = {
        1: Row(2048, 4095, OTHER, Marks(ONE, 1 << 63 | 5), "😀 Daten"),
        130: Row(9000, 9999, LINUX, Marks(TWO), "x" * 36),
    }
    made = blank(ONE).with_rows(rows)
    assert len(made.raw_entries) // 128 == 132
    for found in read_again(made):
        assert found.guid == ONE
        assert found.names == {1: "😀 Daten", 130: "x" * 36}
        assert found.marks == {1: Marks(ONE, 1 << 63 | 5), 130: Marks(TWO)}
        assert found.types == {1: OTHER, 130: LINUX}
        assert [(one.number, one.first, one.last) for one in found.entries] == [
            (1, 2048, 4095),
            (130, 9000, 9999),
        ]


def test_what_is_not_said_stays_to_the_byte() -> None:
    grown = copy().with_rows({3: Row(4096, 9000, LINUX)})
    assert grown.raw_entries[256:384] == entry(4096, 9000, ODD_NAME)
    assert not any(grown.raw_entries[:256])
    assert grown.names == {3: "\ufffdx"}


def test_the_entries_stay_where_firmware_left_room_for_itself() -> None:
    small_board = Copy(1, SECTORS - 1, 2080, SECTORS - 34, bytes(16), 1024, 128, copy().raw_entries)
    primary, backup = read_again(small_board)
    assert (primary.entries_at, primary.first_usable) == (1024, 2048)
    assert backup.entries_at == SECTORS - 33


def test_no_room_is_said() -> None:
    with pytest.raises(ValueError, match="do not lie in sectors"):
        laid_out(copy(), 8200, 512)


@given(st.text(max_size=40))
def test_a_name_is_cut_between_characters(name: str) -> None:
    cut = fitting_name(name)
    assert name.startswith(cut)
    assert len(cut.encode("utf-16-le", "surrogatepass")) <= 72
    if cut != name:
        assert len(name[: len(cut) + 1].encode("utf-16-le", "surrogatepass")) > 72
