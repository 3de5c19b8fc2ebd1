# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of a partclone stream in which every block of a device counts as used.

For what partclone does not know (encrypted volumes, unknown filesystems). The blocks are the
recorder's to read.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from oglib.errors import ImageError
from oglib.image.format.partclone import BITMAP_BITS, CHECKSUM_NONE, MAX_BITMAP_BYTES, Header, crc32
from oglib.image.writing.target import Target

_BLOCKS_BYTES = (4096, 512)
_STEP_BYTES = 1 << 20
_WORD = "raw"  # partclone.imager's, so that partclone.restore takes it


class RawHead(io.RawIOBase):
    """Header, bitmap and its CRC; read it by ``readinto``."""

    def __init__(self, source: Target) -> None:
        self._prefix = _prefix(_header(source))
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        if not self._piece:
            self._piece = memoryview(next(self._prefix, b""))
        count = min(len(room), len(self._piece))
        room[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


def _header(source: Target) -> Header:
    size = source.size_bytes
    block = next((one for one in _BLOCKS_BYTES if not size % one), 0)
    if not size or not block or size // block > 8 * MAX_BITMAP_BYTES:
        raise ImageError(f"{source.path} has {size} bytes, which no image can hold.")
    blocks = size // block
    return Header("oglive", _WORD, size, blocks, blocks, block, CHECKSUM_NONE, BITMAP_BITS)


def _prefix(header: Header) -> Iterator[bytes]:
    """Header, a bitmap of ones, and its CRC."""
    yield header.to_bytes()
    crc, left = 0xFFFFFFFF, (header.total_blocks + 7) // 8
    while left:
        piece = b"\xff" * min(left, _STEP_BYTES)
        crc = crc32(piece, crc)
        left -= len(piece)
        yield piece
    yield struct.pack("<I", crc)
