# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of an MBR and of the chain of tables in its extended partition.

Owns the byte format and nothing else; opens no device. What it reads may be hostile: a chain
is followed a bounded way, never twice through the same sector.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MBR_BYTES = 512
CODE_BYTES = 440  # behind it are the disk's id and the table
PROTECTIVE = 0xEE
EXTENDED = (0x05, 0x0F, 0x85)
MOST_LOGICAL = 256  # the kernel reads as many
_MAGIC = b"\x55\xaa"
_TABLE = 446
_ROW = struct.Struct("<B3sB3sII")
_ID = struct.Struct("<I")
_ALL = 2**32 - 1
# Two bytes between the disk id and the table that nobody uses (Windows: 0x5a5a, copy-protected).
# Sector 0 carries them while a table is being written: one sector is written whole or not at all.
_MARK_AT = slice(444, 446)
_MARK = b"og"

# (offset, length) in bytes to what is there; shorter at the end of the disk
Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, in sectors; what ``start`` counts from depends on the table."""

    boot: int
    kind: int
    start: int
    length: int

    @property
    def used(self) -> bool:
        return bool(self.kind and self.length)


@dataclass(frozen=True, slots=True)
class Chain:
    """The tables of an extended partition by their sectors, and why the chain ends too early."""

    tables: tuple[tuple[int, tuple[Row, ...]], ...]
    broken: str = ""


def rows(sector: bytes) -> tuple[Row, ...]:
    """The four rows of an MBR or of a table in the chain; () where there is no table."""
    if len(sector) < MBR_BYTES or sector[510:512] != _MAGIC:
        return ()
    found = (_ROW.unpack_from(sector, _TABLE + 16 * at) for at in range(4))
    return tuple(Row(boot, kind, start, length) for boot, _, kind, _, start, length in found)


def without_chs(sector: bytes) -> bytes:
    """The same sector of a table without the CHS values of its rows, which repeat the others."""
    found = bytearray(sector)
    for at in range(_TABLE, _TABLE + 64, 16):
        found[at + 1 : at + 4] = found[at + 5 : at + 8] = bytes(3)
    return bytes(found)


def disk_id(first_sector: bytes) -> str:
    """The eight hex digits that PARTUUIDs are made from; "" where there are none."""
    number: int = _ID.unpack_from(first_sector, CODE_BYTES)[0]
    return f"{number:08x}" if number and rows(first_sector) else ""


def extended_of(first_sector: bytes) -> Row | None:
    """The extended partition of an MBR, the first if it has several."""
    found = (row for row in rows(first_sector) if row.used and row.kind in EXTENDED)
    return next(found, None)


def without_extended(first_sector: bytes) -> bytes:
    """The same MBR without its extended partition."""
    for at, row in enumerate(rows(first_sector)):
        if row.kind in EXTENDED:
            start = _TABLE + 16 * at
            first_sector = first_sector[:start] + bytes(16) + first_sector[start + 16 :]
    return first_sector


def chain(read: Read, extended: Row, sector_bytes: int) -> Chain:
    """Follow the links of an extended partition, whose ``start`` is a sector of the disk."""
    tables: list[tuple[int, tuple[Row, ...]]] = []
    end = extended.start + extended.length
    at = extended.start
    while len(tables) < MOST_LOGICAL:
        raw = read(at * sector_bytes, MBR_BYTES)
        found = rows(raw)
        if not found:
            # an extended partition in which nothing was ever made has no table of its own
            empty = at == extended.start and not any(raw)
            broken = f"The chain of logical partitions is broken at sector {at}."
            return Chain(tuple(tables), "" if empty else broken)
        tables.append((at, found))
        link = next((row.start for row in found if row.used and row.kind in EXTENDED), None)
        if link is None:
            return Chain(tuple(tables))
        at = extended.start + link
        if not extended.start < at < end:
            return Chain(
                tuple(tables),
                f"The chain of logical partitions leads to sector {at}, but the extended one "
                f"ends at {end}.",
            )
        if any(at == before for before, _ in tables):
            return Chain(tuple(tables), f"The chain of logical partitions returns to sector {at}.")
    return Chain(tuple(tables), f"There are more than {MOST_LOGICAL} logical partitions.")


def protective(first_sector: bytes, sectors: int) -> bytes:
    """A protective MBR; the boot code in front of the table stays.

    So does the row of one that is there, its boot flag (some firmware wants it) and place; its
    length follows the disk, unless it says "all" as Windows' does.
    """
    length = min(sectors - 1, _ALL)
    row, at = _ROW.pack(0, b"\x00\x02\x00", PROTECTIVE, b"\xff\xff\xff", 1, length), 0
    there = [(at, one) for at, one in enumerate(rows(first_sector)) if one.used]
    if len(there) == 1 and (there[0][1].kind, there[0][1].start) == (PROTECTIVE, 1):
        at, old = there[0]
        begin = _TABLE + 16 * at
        if old.length != _ALL:
            row = first_sector[begin : begin + 12] + length.to_bytes(4, "little")
        else:
            row = first_sector[begin : begin + 16]
    table = (bytes(16 * at) + row).ljust(64, b"\0")
    front = first_sector[:_TABLE].ljust(_TABLE, b"\0")
    return unmarked(front + table + _MAGIC + first_sector[MBR_BYTES:])


def hybrid_rows(first_sector: bytes) -> tuple[Row, ...]:
    """What a hybrid MBR has beside the protective row: partitions for who reads no GPT."""
    found = [row for row in rows(first_sector) if row.used]
    own = tuple(row for row in found if row.kind != PROTECTIVE)
    return own if len(own) < len(found) else ()


def in_front_of_gpt(
    first_sector: bytes, sectors: int, moved: Mapping[tuple[int, int], tuple[int, int]]
) -> bytes:
    """The MBR for a GPT: a hybrid stays one, any other becomes protective.

    ``moved``: (start, length) of partitions that lie elsewhere now, to their new places.
    """
    if not hybrid_rows(first_sector):
        return protective(first_sector, sectors)
    raw = bytearray(first_sector)
    for at, row in enumerate(rows(first_sector)):
        place = moved.get((row.start, row.length))
        if row.used and row.kind != PROTECTIVE and place is not None:
            struct.pack_into("<II", raw, _TABLE + 16 * at + 8, *(min(one, _ALL) for one in place))
    return unmarked(bytes(raw))


def without_code(first_sector: bytes) -> bytes:
    """The same sector with nothing in it that a BIOS could run."""
    return bytes(CODE_BYTES) + first_sector[CODE_BYTES:]


def is_marked(first_sector: bytes) -> bool:
    """Whether the writing of a table was begun here and not ended."""
    return first_sector[_MARK_AT] == _MARK


def marked(first_sector: bytes) -> bytes:
    return first_sector[: _MARK_AT.start] + _MARK + first_sector[_MARK_AT.stop :]


def unmarked(first_sector: bytes) -> bytes:
    if not is_marked(first_sector):
        return first_sector
    return first_sector[: _MARK_AT.start] + bytes(2) + first_sector[_MARK_AT.stop :]
