# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a GPT (UEFI specification 2.10, chapter 5): read one copy, build both anew.

Owns the byte format and nothing else; opens no device. What it reads may be hostile: counts
and sizes are checked before anything is read by them, and whatever is wrong becomes a sentence.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from oglib.disk.mbr import Read

SIGNATURE = b"EFI PART"
_HEADER = struct.Struct("<8s4sIII QQQQ 16s QIII")
ENTRIES_BYTES = 128 * 128  # the least room that the specification gives them
_ENTRIES_MOST_BYTES = 1024 * 1024  # 8192 entries; no partitioning tool writes more than 1024
_GUID_AT = slice(16, 32)  # of an entry, behind its type
_ATTRIBUTES_AT = slice(48, 56)


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
        return str(UUID(bytes_le=self.disk_guid))

    @property
    def marks(self) -> dict[int, Marks]:
        """The marks of every partition by its number."""
        found = {}
        for entry in self.entries:
            raw = self.raw_entries[(entry.number - 1) * self.entry_bytes :][: self.entry_bytes]
            attributes = int.from_bytes(raw[_ATTRIBUTES_AT], "little")
            found[entry.number] = Marks(str(UUID(bytes_le=raw[_GUID_AT])), attributes)
        return found

    def marked(self, disk_guid: str, marks: Mapping[int, Marks]) -> Copy:
        """The same partitions under these identities; what is not named keeps its own."""
        raw = bytearray(self.raw_entries)
        for entry in self.entries:
            at = (entry.number - 1) * self.entry_bytes
            mark = marks.get(entry.number)
            if mark is not None:
                guid = UUID(mark.guid).bytes_le
                raw[at + _GUID_AT.start : at + _GUID_AT.stop] = guid
                attributes = mark.attributes.to_bytes(8, "little")
                raw[at + _ATTRIBUTES_AT.start : at + _ATTRIBUTES_AT.stop] = attributes
        return replace(self, disk_guid=UUID(disk_guid).bytes_le, raw_entries=bytes(raw))


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


def build(good: Copy, sectors: int, sector_bytes: int) -> tuple[bytes, bytes]:
    """The table in ``good`` for a disk of ``sectors``: the bytes from sector 1, those at the end.

    Raises ValueError when a partition would not lie between the two.
    """
    room = max(len(good.raw_entries), ENTRIES_BYTES)
    room_sectors = -(-room // sector_bytes)
    last_usable = sectors - room_sectors - 2
    first_usable = max(good.first_usable, 2 + room_sectors)
    used = good.entries
    if used:
        # tools of other systems begin right behind a small table: what is used is usable
        first_usable = min(first_usable, max(min(e.first for e in used), 2 + room_sectors))
    if any(e.first < first_usable or e.last > last_usable or e.last < e.first for e in used):
        raise ValueError(f"partitions do not lie in sectors {first_usable} to {last_usable}")
    entries = good.raw_entries.ljust(room_sectors * sector_bytes, b"\0")
    usable = (first_usable, last_usable)
    primary = _header(good, (1, sectors - 1), usable, 2)
    backup = _header(good, (sectors - 1, 1), usable, sectors - 1 - room_sectors)
    return primary.ljust(sector_bytes, b"\0") + entries, entries + backup.ljust(sector_bytes, b"\0")


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
