# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a GPT (UEFI specification 2.10, chapter 5): read one copy, lay out both anew.

Owns the byte format and nothing else; opens no device. What it reads may be hostile: counts
and sizes are checked before anything is read by them, and whatever is wrong becomes a sentence.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from oglib.disk.tables.mbr import Read

SIGNATURE = b"EFI PART"
_HEADER = struct.Struct("<8s4sIII QQQQ 16s QIII")
ENTRIES_BYTES = 128 * 128  # the least room that the specification gives them
_ENTRIES_MOST_BYTES = 1024 * 1024  # 8192 entries; no partitioning tool writes more than 1024
ENTRY_BYTES = 128
SLOTS = ENTRIES_BYTES // ENTRY_BYTES  # of a table of the usual size
_ENTRY_STEP = 4  # entries of a table that was made larger come in whole sectors of 512 bytes
_TYPE_AT = slice(0, 16)  # of an entry
_GUID_AT = slice(16, 32)
_PLACE_AT = slice(32, 48)
_ATTRIBUTES_AT = slice(48, 56)
_NAME_AT = slice(56, 128)  # 36 units of UTF-16
NAME_UNITS = 36  # of UTF-16, in an entry
_NAME_BYTES = 2 * NAME_UNITS


def _guid(raw: bytes) -> str:
    """Lower case. The first three groups of the 16 bytes lie the other way round."""
    groups = (raw[3::-1], raw[5:3:-1], raw[7:5:-1], raw[8:10], raw[10:16])
    return "-".join(group.hex() for group in groups)


def _raw_guid(text: str) -> bytes:
    """The same way back; ValueError where it is none."""
    raw = bytes.fromhex(text.replace("-", "").strip("{}"))
    if len(raw) != 16:
        raise ValueError(f"{text!r} is no GUID")
    return raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]


@dataclass(frozen=True, slots=True)
class Marks:
    """What an entry is known by besides type, place and name: PARTUUID (lower case), attributes."""

    guid: str
    attributes: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One partition of a GPT: ``first`` and ``last`` sector, both part of it."""

    number: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Row:
    """A partition of a table to be made; None: as the entry of that number has it now."""

    first: int
    last: int
    type_id: str
    marks: Marks | None = None
    name: str | None = None

    def over(self, old: bytes) -> bytes:
        """The entry, made out of the ``old`` one."""
        raw = bytearray(old)
        raw[_TYPE_AT] = _raw_guid(self.type_id)
        raw[_PLACE_AT] = struct.pack("<QQ", self.first, self.last)
        if self.marks is not None:
            raw[_GUID_AT] = _raw_guid(self.marks.guid)
            raw[_ATTRIBUTES_AT] = self.marks.attributes.to_bytes(8, "little")
        if self.name is not None:
            raw[_NAME_AT] = _raw_name(fitting_name(self.name)).ljust(_NAME_BYTES, b"\0")
        return bytes(raw)


@dataclass(frozen=True, slots=True)
class Laid:
    """A table for a disk: (sector, bytes) of both copies, of each the entries before the header."""

    primary: tuple[tuple[int, bytes], ...]
    backup: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """One whole copy of a GPT: its header's fields and the raw bytes of its entries."""

    at: int
    other: int
    first_usable: int
    last_usable: int
    disk_guid: bytes
    entries_at: int
    entry_bytes: int
    raw_entries: bytes

    @property
    def entries(self) -> tuple[Entry, ...]:
        found = []
        for at in range(0, len(self.raw_entries), self.entry_bytes):
            raw = self.raw_entries[at : at + self.entry_bytes]
            if raw[:16] != bytes(16):
                first, last = struct.unpack_from("<QQ", raw, 32)
                found.append(Entry(at // self.entry_bytes + 1, first, last))
        return tuple(found)

    @property
    def guid(self) -> str:
        return _guid(self.disk_guid)

    @property
    def marks(self) -> dict[int, Marks]:
        """The marks of every partition by its number."""
        found = {}
        for entry in self.entries:
            raw = self.raw_entries[(entry.number - 1) * self.entry_bytes :][: self.entry_bytes]
            attributes = int.from_bytes(raw[_ATTRIBUTES_AT], "little")
            found[entry.number] = Marks(_guid(raw[_GUID_AT]), attributes)
        return found

    @property
    def names(self) -> dict[int, str]:
        """The name of every partition by its number; what is no character becomes U+FFFD.

        Names are 16-bit units that nobody checks. Tools decode them unit by unit and make
        something else of whatever lies beyond the first 65536 characters.
        """
        found = {}
        for entry in self.entries:
            raw = self.raw_entries[(entry.number - 1) * self.entry_bytes :][_NAME_AT]
            found[entry.number] = raw.decode("utf-16-le", "replace").partition("\0")[0]
        return found

    @property
    def types(self) -> dict[int, str]:
        """The type of every partition by its number, lower case."""
        return {
            entry.number: _guid(self.raw_entries[(entry.number - 1) * self.entry_bytes :][_TYPE_AT])
            for entry in self.entries
        }

    def with_rows(self, rows: Mapping[int, Row]) -> Copy:
        """The same table with exactly these partitions by number; larger where it must be."""
        size = self.entry_bytes
        count = max(
            len(self.raw_entries) // size, -(-max(rows, default=0) // _ENTRY_STEP) * _ENTRY_STEP
        )
        old = self.raw_entries.ljust(count * size, b"\0")
        new = bytearray(len(old))
        for number, row in rows.items():
            at = (number - 1) * size
            new[at : at + size] = row.over(old[at : at + size])
        return replace(self, raw_entries=bytes(new))


def blank(disk_guid: str) -> Copy:
    """A table of the usual size without partitions; where it lies is told by ``laid_out``."""
    return Copy(1, 0, 0, 0, _raw_guid(disk_guid), 2, ENTRY_BYTES, bytes(ENTRIES_BYTES))


def fitting_name(name: str) -> str:
    """As much of a name as an entry takes, no character cut in two."""
    while len(_raw_name(name)) > _NAME_BYTES:
        name = name[:-1]
    return name


def _raw_name(name: str) -> bytes:
    return name.encode("utf-16-le", "surrogatepass")


def read_copy(read: Read, at: int, sectors: int, sector_bytes: int) -> Copy | str:
    """The copy whose header lies at sector ``at``, or in words why there is none."""
    raw = read(at * sector_bytes, sector_bytes)
    if len(raw) < _HEADER.size or not raw.startswith(SIGNATURE):
        return "is missing"
    fields = _HEADER.unpack_from(raw)
    _, _, length, header_sum, _, mine, other, first, last, guid = fields[:10]
    entries_at, count, entry_bytes, entries_sum = fields[10:]
    if not _HEADER.size <= length <= len(raw):
        return f"claims a header of {length} bytes"
    if zlib.crc32(raw[:16] + bytes(4) + raw[20:length]) != header_sum:
        return "has a wrong header checksum"
    if mine != at:
        return f"says that it lies at sector {mine}"
    if entry_bytes % 128 or not 0 < count * entry_bytes <= _ENTRIES_MOST_BYTES:
        return f"claims {count} entries of {entry_bytes} bytes"
    end = entries_at * sector_bytes + count * entry_bytes
    if entries_at < 1 or end > sectors * sector_bytes:
        return f"has its entries at sector {entries_at} of a disk of {sectors} sectors"
    raw_entries = read(entries_at * sector_bytes, count * entry_bytes)
    if len(raw_entries) < count * entry_bytes or zlib.crc32(raw_entries) != entries_sum:
        return "has a wrong checksum of its entries"
    return Copy(at, other, first, last, guid, entries_at, entry_bytes, raw_entries)


def other_of(header: bytes) -> int:
    """The sector at which a header says that the other copy lies; 0: it is no sound header."""
    if len(header) < _HEADER.size or not header.startswith(SIGNATURE):
        return 0
    _, _, length, header_sum, _, _, other = _HEADER.unpack_from(header)[:7]
    sound = _HEADER.size <= length <= len(header) and (
        zlib.crc32(header[:16] + bytes(4) + header[20:length]) == header_sum
    )
    return int(other) if sound else 0


def laid_out(good: Copy, sectors: int, sector_bytes: int) -> Laid:
    """The table in ``good`` for a disk of ``sectors``.

    The entries of the primary copy stay where they are, as far as that is known: firmware of
    small boards has its own code behind sector 1. Raises ValueError when a partition would not
    lie between the two copies.
    """
    room = max(len(good.raw_entries), ENTRIES_BYTES)
    room_sectors = -(-room // sector_bytes)
    used = good.entries
    begin = min([entry.first for entry in used], default=sectors)
    at = good.entries_at if good.at == 1 and 2 <= good.entries_at <= begin - room_sectors else 2
    last_usable = sectors - room_sectors - 2
    # tools of other systems begin right behind a small table: what is used is usable
    first_usable = min(max(good.first_usable, at + room_sectors), max(begin, at + room_sectors))
    if any(e.first < first_usable or e.last > last_usable or e.last < e.first for e in used):
        raise ValueError(f"partitions do not lie in sectors {first_usable} to {last_usable}")
    entries = good.raw_entries.ljust(room_sectors * sector_bytes, b"\0")
    usable, last = (first_usable, last_usable), sectors - 1
    primary = _header(good, (1, last), usable, at)
    backup = _header(good, (last, 1), usable, last - room_sectors)
    return Laid(
        ((at, entries), (1, primary.ljust(sector_bytes, b"\0"))),
        ((last - room_sectors, entries), (last, backup.ljust(sector_bytes, b"\0"))),
    )


def _header(good: Copy, places: tuple[int, int], usable: tuple[int, int], entries_at: int) -> bytes:
    """The header at the first of ``places``; the other copy's is at the second."""
    count = len(good.raw_entries) // good.entry_bytes
    entries_sum = zlib.crc32(good.raw_entries)

    def packed(header_sum: int) -> bytes:
        return _HEADER.pack(
            SIGNATURE,
            b"\0\0\1\0",
            _HEADER.size,
            header_sum,
            0,
            *places,
            *usable,
            good.disk_guid,
            entries_at,
            count,
            good.entry_bytes,
            entries_sum,
        )

    return packed(zlib.crc32(packed(0)))
