# SPDX-License-Identifier: GPL-3.0-or-later
"""The identities of a GPT's partitions, taken over from another table."""

from __future__ import annotations

import struct
from uuid import UUID

from oglib.disk.gpt import Copy, Marks, build, read_copy

TYPE = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le
ONE = "11111111-2222-3333-4444-555555555555"
TWO = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECTORS = 100_000


def entry(first: int, last: int) -> bytes:
    return struct.pack("<16s16sQQQ72s", TYPE, bytes(16), first, last, 0, b"n\0a\0")


def copy() -> Copy:
    entries = (entry(2048, 4095) + bytes(128) + entry(4096, 8191)).ljust(128 * 128, b"\0")
    return Copy(1, SECTORS - 1, 34, SECTORS - 34, bytes(16), 2, 128, entries)


def test_marks_are_taken_over_and_places_stay() -> None:
    marks = {1: Marks(ONE, 1 << 63 | 5), 3: Marks(TWO)}
    marked = copy().marked(TWO, marks)
    front, _ = build(marked, SECTORS, 512)
    disk = bytes(512) + front
    read = read_copy(lambda offset, length: disk[offset : offset + length], 1, SECTORS, 512)
    assert isinstance(read, Copy)
    assert (read.guid, read.marks) == (TWO, marks)
    assert read.entries == copy().entries


def test_what_is_not_named_keeps_its_own() -> None:
    marked = copy().marked(ONE, {1: Marks(TWO, 4)}).marked(ONE, {3: Marks(ONE), 7: Marks(TWO)})
    assert marked.marks == {1: Marks(TWO, 4), 3: Marks(ONE)}
