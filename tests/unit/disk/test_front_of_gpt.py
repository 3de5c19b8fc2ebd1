# SPDX-License-Identifier: GPL-3.0-or-later
"""The MBR in front of a GPT: what firmware and other systems look at stays."""

from __future__ import annotations

import struct

from oglib.disk.tables import mbr

WHOLE = 2**32 - 1


def sector(*rows: tuple[int, int, int, int]) -> bytes:
    raw = bytearray(b"code".ljust(512, b"\0"))
    for at, (boot, kind, start, length) in enumerate(rows):
        packed = struct.pack("<B3sB3sII", boot, b"\1\2\3", kind, b"\4\5\6", start, length)
        raw[446 + 16 * at : 462 + 16 * at] = packed
    raw[510:] = b"\x55\xaa"
    return bytes(raw)


def test_a_protective_row_keeps_its_flag_and_follows_the_disk() -> None:
    made = mbr.protective(sector((0x80, 0xEE, 1, 999)), 5000)
    assert made == sector((0x80, 0xEE, 1, 4999))
    assert mbr.protective(made, 5000) == made
    in_third_row = sector((0, 0, 0, 0), (0, 0, 0, 0), (0, 0xEE, 1, 999))
    assert mbr.rows(mbr.protective(in_third_row, 5000))[2] == mbr.Row(0, 0xEE, 1, 4999)


def test_one_that_says_all_goes_on_saying_so() -> None:
    windows = sector((0, 0xEE, 1, WHOLE))
    assert mbr.protective(windows, 5000) == windows


def test_other_rows_give_way_to_a_protective_one() -> None:
    made = mbr.protective(sector((0x80, 0x83, 2048, 999)), 5000)
    assert [row for row in mbr.rows(made) if row.used] == [mbr.Row(0, 0xEE, 1, 4999)]
    assert made.startswith(b"code")


def test_a_hybrid_follows_its_partitions() -> None:
    hybrid = sector((0, 0xEE, 1, 2047), (0x80, 7, 2048, 100), (0, 0x83, 4096, 50))
    assert [row.kind for row in mbr.hybrid_rows(hybrid)] == [7, 0x83]
    assert mbr.in_front_of_gpt(hybrid, 9000, {}) == hybrid
    moved = mbr.in_front_of_gpt(hybrid, 9000, {(2048, 100): (2048, 300), (7, 7): (8, 8)})
    assert moved == sector((0, 0xEE, 1, 2047), (0x80, 7, 2048, 300), (0, 0x83, 4096, 50))
    assert mbr.hybrid_rows(sector((0, 0xEE, 1, 999))) == ()
    assert mbr.hybrid_rows(sector((0, 7, 1, 999))) == ()
