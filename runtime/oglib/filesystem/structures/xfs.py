# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from an XFS how it was left, and which of its blocks are free; never writes.

The log is empty when its last record is the one that an unmount writes. Layouts after "XFS
Algorithms & Data Structures". The bytes are hostile input: every walk is bounded, and what makes
no sense is ``Unreadable``. Numbers on the disk are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from oglib.filesystem.structures.ntfs import ReadAt, Unreadable
from oglib.filesystem.structures.pieces import ALL, Piece

__all__ = ["Left", "Unreadable", "pieces", "read_left"]

_SECTOR = 512  # of the log: its "basic blocks", whatever the disk's are
_RECORD = 0xFEEDBABE
_UNMOUNTED = 0x20
_NEEDS_REPAIR = 0x10
# A record is at most 256 KiB, with up to eight sectors of head, and padded to as much again.
_FARTHEST = 2 * (256 * 1024 // _SECTOR) + 16
_FREE_BY_BLOCK = {0x41425442: 16, 0x41423342: 56}  # magic: bytes of head
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Left:
    """How it was left; ``elsewhere`` names the part that is on another device."""

    log_empty: bool
    broken: bool = False
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class _Super:
    block: int
    blocks: int
    group_blocks: int
    groups: int
    log_start: int
    log_blocks: int
    sector: int
    real_time: int
    version: int
    group_shift: int
    making: bool
    incompatible: int

    def byte_of(self, block: int) -> int:
        """Where a block is whose number has its group above ``group_shift`` bits."""
        group, inside = block >> self.group_shift, block & ((1 << self.group_shift) - 1)
        return (group * self.group_blocks + inside) * self.block


def read_left(read_at: ReadAt) -> Left:
    """How it was left; raises Unreadable, and nothing else whatever the bytes are."""
    try:
        top = _super(read_at)
        if top.log_start == 0:
            return Left(log_empty=False, elsewhere="the log")
        if top.real_time:
            return Left(log_empty=False, elsewhere="the real-time section")
        broken = top.making or bool(top.incompatible & _NEEDS_REPAIR)
        sectors = top.log_blocks * top.block // _SECTOR
        log = _Log(read_at, top.byte_of(top.log_start), sectors)
        return Left(log.is_empty(), broken=broken)
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error


def pieces(read_at: ReadAt) -> Iterator[Piece]:
    """What is used: all of every allocation group but what its tree of free blocks names.

    Blocks kept for that tree itself (the free list) hold nothing and do not count as used.
    """
    try:
        top = _super(read_at)
        for group in range(top.groups):
            first = group * top.group_blocks
            length = min(top.group_blocks, top.blocks - first)
            at = 0
            for start, count in _free_of(read_at, top, group, length):
                if start > at:
                    yield Piece((first + at) * top.block, top.block, start - at, ALL)
                at = start + count
            if at < length:
                yield Piece((first + at) * top.block, top.block, length - at, ALL)
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error


def _super(read_at: ReadAt) -> _Super:
    head = read_at(0, _SECTOR)
    if head[:4] != b"XFSB":
        raise Unreadable
    block, blocks, real_blocks = struct.unpack_from(">IQQ", head, 4)
    log_start = struct.unpack_from(">Q", head, 48)[0]
    group_blocks, groups, _, log_blocks, version, sector = struct.unpack_from(">IIIIHH", head, 84)
    real = struct.unpack_from(">Q", head, 24)[0] or real_blocks
    sound = (
        512 <= block <= 65536 and 512 <= sector <= 32768 and not block & (block - 1)
        and group_blocks and 0 < blocks <= group_blocks * groups
        and blocks > group_blocks * (groups - 1)
        and head[124] <= 31 and log_blocks < 1 << 31
    )  # fmt: skip
    if not sound:
        raise Unreadable
    modern = version & 15 == 5
    return _Super(
        block, blocks, group_blocks, groups, log_start, log_blocks, sector, real, version & 15,
        head[124], bool(head[126]), struct.unpack_from(">I", head, 216)[0] if modern else 0,
    )  # fmt: skip


class _Log:
    """A ring of sectors; each carries the number of the turn in which it was written."""

    def __init__(self, read_at: ReadAt, start: int, sectors: int) -> None:
        if sectors <= 0:
            raise Unreadable
        self._read_at, self._start, self._sectors = read_at, start, sectors

    def is_empty(self) -> bool:
        """Whether what was written last is the record of an unmount, whole."""
        head = self._head()
        for back in range(1, min(_FARTHEST, self._sectors) + 1):
            at = (head - back) % self._sectors
            sector = self._sector(at)
            if struct.unpack_from(">I", sector)[0] == _RECORD:
                return self._is_unmount(sector, at, head)
        return False

    def _is_unmount(self, record: bytes, at: int, head: int) -> bool:
        version, length = struct.unpack_from(">II", record, 8)
        operations = struct.unpack_from(">I", record, 40)[0]
        size = struct.unpack_from(">I", record, 320)[0]
        heads = -(-size // 32768) if version & 2 and size > 32768 else 1
        after = at + heads + -(-length // _SECTOR)
        if operations != 1 or after % self._sectors != head:
            return False
        return bool(self._sector((at + heads) % self._sectors)[9] & _UNMOUNTED)

    def _head(self) -> int:
        """The sector that is written next: the first of an older turn, or of none."""
        first, last = self._turn(0), self._turn(self._sectors - 1)
        if first == last:
            return 0
        low, high = 0, self._sectors - 1  # the turn is ``first`` at low, another at high
        while high - low > 1:
            middle = (low + high) // 2
            if self._turn(middle) == first:
                low = middle
            else:
                high = middle
        return high

    def _turn(self, at: int) -> int:
        word, turn = struct.unpack_from(">II", self._sector(at))
        return int(turn if word == _RECORD else word)

    def _sector(self, at: int) -> bytes:
        return self._read_at(self._start + at * _SECTOR, _SECTOR)


def _free_of(read_at: ReadAt, top: _Super, group: int, length: int) -> list[tuple[int, int]]:
    """The free (block, count) of one allocation group, ascending."""
    base = group * top.group_blocks * top.block
    head = read_at(base + top.sector, 64)
    if head[:4] != b"XAGF" or struct.unpack_from(">I", head, 8)[0] != group:
        raise Unreadable
    root, levels = struct.unpack_from(">I8xI", head, 16)
    spare = _spare(read_at, top, base, *struct.unpack_from(">I4xI", head, 40))
    found = list(_records(read_at, top, base, root, levels))
    found += [(block, 1) for block in spare]
    found.sort()
    at = 0
    for start, count in found:
        if start < at or start + count > length:
            raise Unreadable
        at = start + count
    return found


def _spare(read_at: ReadAt, top: _Super, base: int, first: int, count: int) -> list[int]:
    """The blocks of the free list: a ring behind the group's heads."""
    skip = 36 if top.version == 5 else 0
    room = (top.sector - skip) // 4
    if count > room:
        raise Unreadable
    ring = struct.unpack_from(f">{room}I", read_at(base + 3 * top.sector, top.sector), skip)
    return [ring[(first + at) % room] for at in range(count)]


def _records(
    read_at: ReadAt, top: _Super, base: int, root: int, levels: int
) -> Iterator[tuple[int, int]]:
    """Down to the leftmost leaf of the tree, then from leaf to leaf."""
    if not 0 < levels <= _DEEPEST:
        raise Unreadable
    block = root
    for level in range(levels - 1, 0, -1):
        node, skip, _ = _node(read_at, top, base, block, level)
        most = (top.block - skip) // 12
        block = struct.unpack_from(">I", node, skip + 8 * most)[0]
    end = 0
    while True:
        node, skip, count = _node(read_at, top, base, block, 0)
        for start, length in struct.iter_unpack(">II", node[skip : skip + 8 * count]):
            if start < end or not length:
                raise Unreadable  # so that no ring of leaves is followed for ever
            end = start + length
            yield start, length
        block = struct.unpack_from(">I", node, 12)[0]
        if block == 0xFFFFFFFF:
            return
        if not count:
            raise Unreadable


def _node(
    read_at: ReadAt, top: _Super, base: int, block: int, level: int
) -> tuple[bytes, int, int]:
    """A block of the tree, the bytes of its head, the number of its records."""
    node = read_at(base + block * top.block, top.block)
    magic, own_level, count = struct.unpack_from(">IHH", node)
    skip = _FREE_BY_BLOCK.get(magic)
    if skip is None or own_level != level or len(node) != top.block:
        raise Unreadable
    if skip + (8 if level == 0 else 12) * count > top.block:
        raise Unreadable
    return node, skip, count
