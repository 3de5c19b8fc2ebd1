# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from a FAT or an exFAT which of its clusters are used, and whether it is new; never writes.

Layouts after Microsoft's "FAT: General Overview of On-Disk Format" and "exFAT file system
specification". The bytes are hostile input: what makes no sense is ``Unreadable``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from oglib.filesystem.structures.ntfs import ReadAt, Unreadable
from oglib.filesystem.structures.pieces import ALL, Piece

__all__ = ["Unreadable", "exfat_pieces", "fat_pieces", "holds_nothing"]

_STEP = 3 * 4096  # entries of any width that fill whole bytes
_MOST_FAT12 = 0xFF4
_EXFAT_BITMAP = 0x81
_PIECE_BYTES = 64 * 1024
_ENTRY_BYTES = 32  # of a folder
_ATTRIBUTES = 11
_LABEL = 0x08
_DELETED = 0xE5
_MOST_FOLDER_BYTES = 256 << 20


def fat_pieces(read_at: ReadAt) -> Iterator[Piece]:
    """All before the first cluster, and every cluster with an entry; bad ones hold nothing."""
    try:
        yield from _fat_pieces(read_at)
    except (struct.error, IndexError, OverflowError, ValueError) as error:
        raise Unreadable from error


def holds_nothing(read_at: ReadAt) -> bool:
    """Whether a FAT is as it was made: no file or folder, at most a label."""
    try:
        return _holds_nothing(read_at)
    except (struct.error, IndexError, OverflowError, ValueError) as error:
        raise Unreadable from error


def _holds_nothing(read_at: ReadAt) -> bool:
    boot = read_at(0, 512)
    sector, per_cluster, reserved, fats, roots = struct.unpack_from("<HBHBH", boot, 11)
    short, long, root = struct.unpack_from("<H12xI4xI", boot, 22)
    if not 128 <= sector <= 4096 or not per_cluster or not reserved or not fats:
        raise Unreadable
    first = (reserved + fats * (short or long)) * sector
    if roots:
        folder = _all_of(read_at, first, roots * _ENTRY_BYTES)
    elif root >= 2:
        unit = per_cluster * sector
        folder = _all_of(read_at, first + (root - 2) * unit, unit)
    else:
        raise Unreadable
    for at in range(0, len(folder), _ENTRY_BYTES):
        if not folder[at]:
            return True  # nothing was ever written from here on
        is_label = folder[at + _ATTRIBUTES] & 0x0F == _LABEL
        if folder[at] != _DELETED and not is_label:
            return False
    return bool(roots)  # a full cluster of what is gone may go on in another


def _fat_pieces(read_at: ReadAt) -> Iterator[Piece]:
    boot = read_at(0, 512)
    sector, per_cluster, reserved, fats, roots, few = struct.unpack_from("<HBHBHH", boot, 11)
    short, many, long = struct.unpack_from("<H8xII", boot, 22)
    if not 128 <= sector <= 4096 or sector & (sector - 1) or not per_cluster or not reserved:
        raise Unreadable
    fat, total = short or long, few or many
    first = reserved + fats * fat + -(-roots * 32 // sector)
    if not fats or not fat or first > total:
        raise Unreadable
    clusters = (total - first) // per_cluster
    # as Linux tells them apart
    width = 32 if not short else 12 if clusters <= _MOST_FAT12 else 16
    if (clusters + 2) * width > fat * sector * 8:
        raise Unreadable
    yield Piece(0, sector, first, ALL)
    unit = per_cluster * sector
    for start in range(0, clusters + 2, _STEP):
        count = min(_STEP, clusters + 2 - start)
        packed = _all_of(read_at, reserved * sector + start * width // 8, -(-count * width // 8))
        if not packed.strip(b"\0"):
            continue
        bits = _bits(_entries(packed, width)[:count], (1 << min(width, 28)) - 9)
        if start == 0:
            bits, count = bits >> 2, count - 2
        yield Piece(first * sector + max(0, start - 2) * unit, unit, count, bits)


def _entries(packed: bytes, width: int) -> Sequence[int]:
    if width == 12:
        values: list[int] = []
        for at in range(0, len(packed), 3):
            three = int.from_bytes(packed[at : at + 3], "little")
            values += (three & 0xFFF, three >> 12)
        return values
    form = "<%dH" if width == 16 else "<%dI"
    return struct.unpack(form % (len(packed) * 8 // width), packed)


def _bits(entries: Sequence[int], bad: int) -> int:
    """The entries that are neither free nor ``bad``, the first in the lowest bit."""
    if bad in entries:
        entries = [0 if entry == bad else entry for entry in entries]
    return int(bytes(map(bool, entries))[::-1].translate(_DIGITS), 2)


_DIGITS = bytes((0x30, 0x31)) + bytes(254)


def exfat_pieces(read_at: ReadAt) -> Iterator[Piece]:
    """All before the first cluster, and the clusters of its bitmap."""
    try:
        yield from _exfat_pieces(read_at)
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error


def _exfat_pieces(read_at: ReadAt) -> Iterator[Piece]:
    boot = read_at(0, 512)
    fat, fat_sectors, heap, clusters, root = struct.unpack_from("<IIIII", boot, 80)
    flags, shift, cluster_shift, fats = struct.unpack_from("<HBBB", boot, 106)
    if boot[3:11] != b"EXFAT   " or not 9 <= shift <= 12 or cluster_shift > 25 - shift:
        raise Unreadable
    if not clusters or (clusters + 2) * 4 > fat_sectors << shift:
        raise Unreadable
    second = bool(fats == 2 and flags & 1)
    table = (fat << shift) + (fat_sectors << shift if second else 0)
    unit = 1 << (shift + cluster_shift)

    def chain(cluster: int, most: int) -> Iterator[bytes]:
        for _ in range(most):
            if not 2 <= cluster < clusters + 2:
                return
            yield _all_of(read_at, (heap << shift) + (cluster - 2) * unit, unit)
            cluster = struct.unpack("<I", _all_of(read_at, table + 4 * cluster, 4))[0]

    first, size = _exfat_bitmap(chain(root, max(1, _MOST_FOLDER_BYTES // unit)), second=second)
    if size < -(-clusters // 8):
        raise Unreadable
    yield Piece(0, 1 << shift, heap, ALL)
    at = 0
    for packed in chain(first, -(-size // unit)):
        for start in range(0, len(packed), _PIECE_BYTES):
            part = packed[start : start + _PIECE_BYTES]
            count = min(8 * len(part), clusters - at)
            bits = int.from_bytes(part, "little") & ((1 << count) - 1)
            if bits:
                yield Piece((heap << shift) + at * unit, unit, count, bits)
            at += count
            if at == clusters:
                return
    raise Unreadable


def _exfat_bitmap(folder: Iterator[bytes], *, second: bool) -> tuple[int, int]:
    """First cluster and bytes of the allocation bitmap that counts."""
    for cluster in folder:
        for at in range(0, len(cluster), 32):
            kind, flags = cluster[at], cluster[at + 1]
            if kind == _EXFAT_BITMAP and bool(flags & 1) == second:
                first, size = struct.unpack_from("<IQ", cluster, at + 20)
                return int(first), int(size)
            if kind == 0:
                raise Unreadable
    raise Unreadable


def _all_of(read_at: ReadAt, offset: int, size: int) -> bytes:
    got = read_at(offset, size)
    if len(got) != size:
        raise Unreadable
    return got
