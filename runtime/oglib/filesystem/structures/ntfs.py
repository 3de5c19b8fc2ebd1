# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from an NTFS volume what says whether Windows is done with it; never writes.

Owns three facts: the dirty flag ($Volume), an unfinished journal ($LogFile) and a hibernation
file (hiberfil.sys in the root folder). The tools of ntfs-3g tell only one of them, and the one
that tells also writes. Layouts after "NTFS Documentation" (Linux-NTFS project). The volume is
hostile input: every length is checked, every walk is bounded, and what makes no sense is
``Unreadable``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

ReadAt = Callable[[int, int], bytes]
Runs = tuple[tuple[int, int], ...]

_LOGFILE, _VOLUME, _ROOT = 2, 3, 5
_VOLUME_INFORMATION, DATA, _INDEX_ROOT, _INDEX_ALLOCATION = 0x70, 0x80, 0x90, 0xA0
_END = 0xFFFFFFFF
_SECTOR = 512  # update sequences protect stretches of 512 bytes whatever the sector size is
_MOST_RECORD = 64 * 1024
_MOST_RUNS = 65536
_DEEPEST = 16
_HIBERFIL = "HIBERFIL.SYS"
_HEADER = 4096


class Unreadable(Exception):
    """The volume is not an NTFS one, or damaged where we look."""


@dataclass(frozen=True, slots=True)
class NtfsState:
    """Dirty: Windows wants to check it. Unfinished: its journal holds work. Hibernated: so."""

    dirty: bool
    unfinished: bool
    hibernated: bool


@dataclass(frozen=True, slots=True)
class Attribute:
    """``content`` of a resident attribute; else the ``runs`` (first cluster or -1, count).

    ``ready`` bytes of its ``size`` were ever written.
    """

    size: int
    ready: int
    content: bytes = b""
    runs: Runs = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """Sizes in bytes, ``clusters`` and ``records`` counted; ``mft`` is where the records are."""

    read_at: ReadAt
    cluster: int
    record: int
    clusters: int
    mft: Runs
    records: int


def read_state(read_at: ReadAt) -> NtfsState:
    """The three facts; raises Unreadable, and nothing else whatever the bytes are."""
    try:
        volume = open_volume(read_at)
        information = attribute_of(volume, _VOLUME, _VOLUME_INFORMATION)
        if len(information.content) < 12:
            raise Unreadable
        flags = struct.unpack_from("<H", information.content, 10)[0]
        return NtfsState(
            dirty=bool(flags & 1),
            unfinished=_unfinished(volume),
            hibernated=_hibernated(volume),
        )
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error


def open_volume(read_at: ReadAt) -> Volume:
    boot = read_at(0, _SECTOR)
    if boot[3:11] != b"NTFS    ":
        raise Unreadable
    sector, per_cluster = struct.unpack_from("<HB", boot, 11)
    mft_cluster, record = struct.unpack_from("<Q8xb", boot, 48)
    # beyond 128 sectors the byte is a negative power of two
    cluster = sector * (per_cluster if per_cluster <= 128 else 1 << (256 - per_cluster))
    record_bytes = 1 << -record if record < 0 else record * cluster
    if sector not in (256, 512, 1024, 2048, 4096) or not 0 < cluster <= 2 * 1024**2:
        raise Unreadable
    if not _SECTOR <= record_bytes <= _MOST_RECORD:
        raise Unreadable
    # the first records are in one piece: enough to read where the rest of the table is
    sectors = struct.unpack_from("<Q", boot, 40)[0]
    first = Volume(
        read_at, cluster, record_bytes, sectors * sector // cluster, ((mft_cluster, 1 << 20),), 0
    )
    table = attribute_of(first, 0, DATA)
    return replace(first, mft=table.runs, records=table.ready // record_bytes)


def attribute_of(volume: Volume, number: int, wanted: int) -> Attribute:
    for kind, found in attributes_of(volume, number):
        if kind == wanted:
            return found
    raise Unreadable


def attributes_of(
    volume: Volume, number: int, *, named: bool = False
) -> Iterator[tuple[int, Attribute]]:
    """The attributes in one file record with their types.

    Of those with a name only the index's, unless all are asked for.
    """
    record = _fixed(_record(volume, number), b"FILE")
    at = struct.unpack_from("<H", record, 20)[0]
    while True:
        kind = struct.unpack_from("<I", record, at)[0]
        if kind == _END:
            return
        length, away, name = struct.unpack_from("<IBB", record, at + 4)
        if length < 24 or at + length > len(record):
            raise Unreadable
        own = record[at : at + length]
        if named or not name or kind in (_INDEX_ROOT, _INDEX_ALLOCATION):
            if away:
                offset, size, ready = struct.unpack_from("<H14xQQ", own, 32)
                yield kind, Attribute(size, ready, runs=_runs(own[offset:]))
            else:
                size, offset = struct.unpack_from("<IH", own, 16)
                yield kind, Attribute(size, size, content=own[offset : offset + size])
        at += length


def in_use(volume: Volume, number: int) -> bool:
    """Whether a file record is in use; raises Unreadable where that cannot be told."""
    record = _record(volume, number)
    if record[:4] == bytes(4):
        return False  # never written
    if record[:4] != b"FILE":
        raise Unreadable
    return bool(struct.unpack_from("<H", record, 22)[0] & 1)


def _record(volume: Volume, number: int) -> bytes:
    return read_stream(volume, volume.mft, number * volume.record, volume.record)


def _runs(packed: bytes) -> Runs:
    """Mapping pairs: each a byte with two lengths, a count and a signed step; -1 is a hole."""
    found: list[tuple[int, int]] = []
    at, cluster = 0, 0
    while at < len(packed) and packed[at] and len(found) < _MOST_RUNS:
        count_bytes, step_bytes = packed[at] & 15, packed[at] >> 4
        count = int.from_bytes(packed[at + 1 : at + 1 + count_bytes], "little")
        at += 1 + count_bytes
        step = int.from_bytes(packed[at : at + step_bytes], "little", signed=True)
        at += step_bytes
        cluster += step
        if cluster < 0:
            raise Unreadable
        found.append((cluster if step_bytes else -1, count))
    return tuple(found)


def read_stream(volume: Volume, runs: Runs, offset: int, size: int) -> bytes:
    """``size`` bytes of a stream from ``offset``; raises Unreadable where it has none."""
    got, start = b"", 0
    for cluster, count in runs:
        end = start + count * volume.cluster
        at = offset + len(got)
        if start <= at < end:
            piece = min(size - len(got), end - at)
            if cluster < 0:
                got += bytes(piece)
            else:
                read = volume.read_at(cluster * volume.cluster + at - start, piece)
                if len(read) != piece:
                    raise Unreadable
                got += read
            if len(got) == size:
                return got
        start = end
    raise Unreadable


def _fixed(raw: bytes, magic: bytes) -> bytes:
    """A record with its last two bytes of every sector put back (the update sequence)."""
    offset, count = struct.unpack_from("<HH", raw, 4)
    if raw[:4] != magic or (count - 1) * _SECTOR > len(raw) or offset + 2 * count > len(raw):
        raise Unreadable
    fixed = bytearray(raw)
    for sector in range(1, count):
        end = sector * _SECTOR
        if fixed[end - 2 : end] != raw[offset : offset + 2]:
            raise Unreadable  # half written
        fixed[end - 2 : end] = raw[offset + 2 * sector : offset + 2 * sector + 2]
    return bytes(fixed)


def _unfinished(volume: Volume) -> bool:
    """Whether a client of the journal is still at work: shut down in haste, or hibernated."""
    log = attribute_of(volume, _LOGFILE, DATA)
    first = read_stream(volume, log.runs, 0, _HEADER)
    if first[:4] != b"RSTR":
        return False  # emptied (all 0xff) or left by chkdsk: nothing to finish
    page = struct.unpack_from("<I", first, 16)[0]
    if not _HEADER <= page <= _MOST_RECORD:
        raise Unreadable
    restarts = []
    for number in (0, 1):
        raw = read_stream(volume, log.runs, number * page, page)
        if raw[:4] == b"RSTR":
            fixed = _fixed(raw, b"RSTR")
            area = struct.unpack_from("<H", fixed, 24)[0]
            restarts.append(struct.unpack_from("<Q4xHH", fixed, area))
    _, in_use, flags = max(restarts)  # the one that was written last counts
    return bool(in_use != 0xFFFF and not flags & 2)


def _hibernated(volume: Volume) -> bool:
    number = _find(volume, _HIBERFIL)
    if number is None:
        return False
    data = attribute_of(volume, number, DATA)
    if data.size < _HEADER:
        return True  # so Windows marks a volume that another, hibernated one uses
    # capitals since Windows 8; "rstr" is one that is just being resumed, "wake" is over
    return read_stream(volume, data.runs, 0, _HEADER)[:4].lower() in (b"hibr", b"rstr")


def _find(volume: Volume, wanted: str) -> int | None:
    """The record number of a file in the root folder: down the sorted tree of its index."""
    root = attribute_of(volume, _ROOT, _INDEX_ROOT).content
    block = struct.unpack_from("<I", root, 8)[0]
    if not _SECTOR <= block <= _MOST_RECORD:
        raise Unreadable
    node, header = root, 16
    for _ in range(_DEEPEST):
        found, below = _look_in(node, header, wanted)
        if found is not None or below is None:
            return found
        # blocks smaller than a cluster are counted in sectors
        unit = volume.cluster if block >= volume.cluster else _SECTOR
        runs = attribute_of(volume, _ROOT, _INDEX_ALLOCATION).runs
        node, header = _fixed(read_stream(volume, runs, below * unit, block), b"INDX"), 24
    raise Unreadable


def _look_in(node: bytes, header: int, wanted: str) -> tuple[int | None, int | None]:
    """In one node: the file's record number, or the block below in which it would be."""
    at = header + struct.unpack_from("<I", node, header)[0]
    while True:
        reference, length, _, flags = struct.unpack_from("<QHHH", node, at)
        below = struct.unpack_from("<Q", node, at + length - 8)[0] if flags & 1 else None
        if flags & 2:
            return None, below
        if length < 16 + 66:
            raise Unreadable
        size = 2 * node[at + 16 + 64]
        name = node[at + 16 + 66 : at + 16 + 66 + size].decode("utf-16-le", "replace")
        if _folded(name) == _folded(wanted):
            return reference & 0xFFFFFFFFFFFF, None
        if _folded(name) > _folded(wanted):
            return None, below
        at += length


def _folded(name: str) -> bytes:
    # compared as UTF-16 units; to sort against an ASCII name only ASCII case matters
    return "".join(char.upper() if char.isascii() else char for char in name).encode(
        "utf-16-be", "replace"
    )
