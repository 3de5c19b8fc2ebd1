# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from a btrfs which of its bytes are used: the extents that its extent tree names.

Never writes. Layouts after the btrfs wiki's "On-disk Format". The bytes are hostile input: every
walk is bounded, and what makes no sense is ``Unreadable``.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from oglib.filesystem.structures.ntfs import ReadAt, Unreadable
from oglib.filesystem.structures.pieces import ALL, Piece

__all__ = ["Unreadable", "pieces"]

_SUPER, _SUPER_BYTES = 65536, 4096
_COPIES = (65536, 64 << 20, 256 << 30)
# Others keep superblocks, chunks or extents elsewhere: zoned, extent-tree-v2, stripe tree, …
_KNOWN = 0xFFF | 0x10000
_SPREAD_PROFILES = 0x8 | 0x40 | 0x80 | 0x100  # RAID0, RAID10, RAID5, RAID6
_ROOT_ITEM, _EXTENT_DATA, _EXTENT, _METADATA, _CHUNK = 132, 108, 168, 169, 228
_EXTENT_TREE = 2
_HEAD = 101
_ITEM = struct.Struct("<QBQII")
_POINTER = struct.Struct("<QBQQQ")
_DEEPEST = 8
_CHUNK_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class _Super:
    root: int
    chunk_root: int
    log_root: int
    size: int
    sector: int
    node: int
    device: int
    first_chunks: bytes


@dataclass(slots=True)
class _Chunks:
    """Where logical bytes are on this device: (logical, length, places), ascending."""

    rows: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list)

    def add(self, logical: int, item: bytes, device: int) -> int:
        """Take a chunk item; returns its bytes."""
        length, profile, stripes = struct.unpack_from("<Q16xQ12xH", item)
        places = []
        for at in range(stripes):
            owner, offset = struct.unpack_from("<QQ", item, 48 + 32 * at)
            if owner != device:
                raise Unreadable
            places.append(offset)
        if not length or not places or (stripes > 1 and profile & _SPREAD_PROFILES):
            raise Unreadable
        row = (logical, int(length), tuple(places))
        at = bisect_left(self.rows, row)
        if self.rows[at : at + 1] != [row]:
            self.rows.insert(at, row)
        return 48 + 32 * int(stripes)

    def places(self, logical: int, length: int) -> list[int]:
        at = bisect_right(self.rows, logical, key=lambda row: row[0]) - 1
        if at < 0:
            raise Unreadable
        first, bytes_, places = self.rows[at]
        if logical + length > first + bytes_:
            raise Unreadable
        return [place + logical - first for place in places]


@dataclass(slots=True)
class _Tree:
    """Reads nodes; ``left`` bounds how many, whatever points where."""

    read_at: ReadAt
    top: _Super
    chunks: _Chunks
    left: int

    def nodes(self, root: int) -> Iterator[tuple[int, bytes]]:
        """Every node below and with ``root`` as (logical, bytes), from left to right."""
        waiting = [(root, _DEEPEST)]
        while waiting:
            logical, most = waiting.pop()
            node = self._node(logical)
            yield logical, node
            if node[100]:
                if node[100] >= most:
                    raise Unreadable
                count = struct.unpack_from("<I", node, 96)[0]
                rows = node[_HEAD : _HEAD + _POINTER.size * count]
                below = [row[3] for row in _POINTER.iter_unpack(rows)]
                waiting += [(each, node[100]) for each in reversed(below)]

    def items(self, root: int) -> Iterator[tuple[int, int, int, int, int, bytes]]:
        """Every item as (object, type, offset, start, size, leaf): its data is in the leaf."""
        for _, node in self.nodes(root):
            if not node[100]:
                for item in items_of(node):
                    yield (*item, node)

    def _node(self, logical: int) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise Unreadable
        size = self.top.node
        # either copy serves: a bad sector in one of them is why there are two
        for place in self.chunks.places(logical, size):
            node = self.read_at(place, size)
            if len(node) == size and struct.unpack_from("<Q", node, 48)[0] == logical:
                row = _POINTER.size if node[100] else _ITEM.size
                if _HEAD + row * struct.unpack_from("<I", node, 96)[0] <= size:
                    return node
        raise Unreadable


def items_of(leaf: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    count = struct.unpack_from("<I", leaf, 96)[0]
    for owner, kind, offset, start, size in _ITEM.iter_unpack(
        leaf[_HEAD : _HEAD + _ITEM.size * count]
    ):
        yield owner, kind, offset, _HEAD + start, size


def pieces(read_at: ReadAt) -> Iterator[Piece]:
    """Superblocks, and every extent at each of its places on this device."""
    try:
        yield from _pieces(read_at)
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error


def _pieces(read_at: ReadAt) -> Iterator[Piece]:
    top = _super(read_at)
    sector = top.sector
    yield Piece(0, sector, (_SUPER + _SUPER_BYTES) // sector, ALL)
    for copy in _COPIES:
        if copy + _SUPER_BYTES <= top.size:
            yield Piece(copy, _SUPER_BYTES, 1, ALL)
    tree = _Tree(read_at, top, _first_chunks(top), 4096 + top.size // top.node)
    for owner, kind, logical, start, size, leaf in tree.items(top.chunk_root):
        if kind == _CHUNK and owner == 256:
            tree.chunks.add(logical, leaf[start : start + size], top.device)
    for logical, length in _joined(_extents(tree)):
        for place in tree.chunks.places(logical, length):
            if place % sector or length % sector or place + length > top.size:
                raise Unreadable
            yield Piece(place, sector, length // sector, ALL)


def _super(read_at: ReadAt) -> _Super:
    head = read_at(_SUPER, _SUPER_BYTES)
    if head[64:72] != b"_BHRfS_M" or struct.unpack_from("<Q", head, 48)[0] != _SUPER:
        raise Unreadable
    root, chunk_root, log_root = struct.unpack_from("<QQQ", head, 80)
    sector, node = struct.unpack_from("<II", head, 144)
    chunks = struct.unpack_from("<I", head, 160)[0]
    features = struct.unpack_from("<Q", head, 188)[0]
    device, size = struct.unpack_from("<QQ", head, 201)
    powers = all(512 <= one <= 65536 and not one & (one - 1) for one in (sector, node))
    if not powers or chunks > 2048 or features & ~_KNOWN or not read_at(size - 1, 1):
        raise Unreadable
    return _Super(root, chunk_root, log_root, size, sector, node, device, head[811 : 811 + chunks])


def _first_chunks(top: _Super) -> _Chunks:
    """Those that hold the chunk tree itself: they stand in the superblock."""
    chunks, at = _Chunks(), 0
    while at < len(top.first_chunks):
        _, kind, logical = struct.unpack_from("<QBQ", top.first_chunks, at)
        if kind != _CHUNK:
            raise Unreadable
        at += 17 + chunks.add(logical, top.first_chunks[at + 17 :], top.device)
    return chunks


def _extents(tree: _Tree) -> Iterator[tuple[int, int]]:
    """(logical, bytes) of what is allocated, ascending; then of a log that was left."""
    roots = [
        struct.unpack_from("<Q", leaf, start + 176)[0]
        for owner, kind, _, start, _, leaf in tree.items(tree.top.root)
        if kind == _ROOT_ITEM and owner == _EXTENT_TREE
    ]
    if not roots:
        raise Unreadable
    for root in roots:
        for owner, kind, offset, _, _, _ in tree.items(root):
            if kind == _EXTENT:
                yield owner, offset
            elif kind == _METADATA:
                yield owner, tree.top.node
    if tree.top.log_root:
        yield from _logged(tree)


def _logged(tree: _Tree) -> Iterator[tuple[int, int]]:
    """The log's own nodes, and the data that only it knows of."""
    roots = []
    for logical, node in tree.nodes(tree.top.log_root):
        yield logical, len(node)
        if not node[100]:
            roots += [
                struct.unpack_from("<Q", node, start + 176)[0]
                for _, kind, _, start, _ in items_of(node)
                if kind == _ROOT_ITEM
            ]
    for root in roots:
        for logical, node in tree.nodes(root):
            yield logical, len(node)
            if node[100]:
                continue
            for _, kind, _, start, size in items_of(node):
                # kind 0 at 20: the content is in the item itself
                if kind == _EXTENT_DATA and size >= 53 and node[start + 20]:
                    place, length = struct.unpack_from("<QQ", node, start + 21)
                    if place:
                        yield place, length


def _joined(extents: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Extents that touch as one, but never over what may be the beginning of a chunk."""
    start = end = 0
    for logical, length in extents:
        if logical == end and logical % _CHUNK_STEP:
            end += length
            continue
        if end > start:
            yield start, end - start
        start, end = logical, logical + length
    if end > start:
        yield start, end - start
