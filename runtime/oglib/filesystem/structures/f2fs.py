# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from an F2FS how it was left and how many of its blocks are used; never writes.

Both stand in a checkpoint, of which there are two: the newer one that is whole counts. Layouts
after the kernel's ``f2fs_fs.h``. The bytes are hostile input: what makes no sense is
``Unreadable``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from oglib.filesystem.structures.ntfs import ReadAt, Unreadable
from oglib.filesystem.structures.pieces import ALL, Least, Piece

__all__ = ["Left", "Unreadable", "pieces", "read_left"]

_MAGIC = 0xF2F52010
_UNMOUNTED, _ERROR, _CHECK = 0x1, 0x8, 0x10
_DEVICES, _DEVICE_BYTES, _PATH_BYTES = 8, 68, 64


@dataclass(frozen=True, slots=True)
class Left:
    """How it was left, and on how many devices it is."""

    unmounted: bool
    errors: bool
    devices: int


@dataclass(frozen=True, slots=True)
class _Super:
    block: int
    blocks: int
    segment_blocks: int
    checkpoints: int
    main: int
    devices: int


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    version: int
    flags: int
    used: int


def read_left(read_at: ReadAt) -> Left:
    """How it was left; raises Unreadable, and nothing else whatever the bytes are."""
    try:
        top = _super(read_at)
        flags = _newest(read_at, top).flags
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error
    return Left(bool(flags & _UNMOUNTED), bool(flags & (_ERROR | _CHECK)), max(1, top.devices))


def pieces(read_at: ReadAt) -> Iterator[Piece | Least]:
    """All before the main area; of that only the number is told.

    Which blocks of it are used stands in tables with journals of their own.
    """
    try:
        top = _super(read_at)
        used = _newest(read_at, top).used
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error
    yield Piece(0, top.block, top.main, ALL)
    yield Least(top.main * top.block, top.blocks * top.block, top.block, used)


def _super(read_at: ReadAt) -> _Super:
    head = read_at(1024, 3072)
    if struct.unpack_from("<I", head)[0] != _MAGIC:
        raise Unreadable
    block_shift, segment_shift = struct.unpack_from("<II", head, 16)
    blocks = struct.unpack_from("<Q", head, 36)[0]
    checkpoints = struct.unpack_from("<I", head, 76)[0]
    main = struct.unpack_from("<I", head, 92)[0]
    rows = (head[2201 + at * _DEVICE_BYTES :][:_PATH_BYTES] for at in range(_DEVICES))
    if not 12 <= block_shift <= 16 or segment_shift > 20 or not 0 < main <= blocks:
        raise Unreadable
    devices = sum(1 for row in rows if row.strip(b"\0"))
    return _Super(1 << block_shift, blocks, 1 << segment_shift, checkpoints, main, devices)


def _newest(read_at: ReadAt, top: _Super) -> _Checkpoint:
    both = (top.checkpoints, top.checkpoints + top.segment_blocks)
    found = [one for at in both if (one := _checkpoint(read_at, top, at)) is not None]
    if not found:
        raise Unreadable
    return max(found, key=lambda one: one.version)


def _checkpoint(read_at: ReadAt, top: _Super, at: int) -> _Checkpoint | None:
    """The one that begins at block ``at``; None: it was not written to its end."""
    first = read_at(at * top.block, top.block)
    blocks = struct.unpack_from("<I", first, 136)[0]
    if not 2 <= blocks <= top.segment_blocks or not _is_whole(first):
        return None
    last = read_at((at + blocks - 1) * top.block, top.block)
    if not _is_whole(last) or last[:8] != first[:8]:
        return None
    version, used = struct.unpack_from("<Q8xQ", first)
    return _Checkpoint(version, struct.unpack_from("<I", first, 132)[0], used)


def _is_whole(block: bytes) -> bool:
    end = struct.unpack_from("<I", block, 164)[0]
    if not 192 <= end <= len(block) - 4:
        return False
    # started with the magic number and never inverted
    crc = zlib.crc32(block[:end], _MAGIC ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
    return bool(crc == struct.unpack_from("<I", block, end)[0])
