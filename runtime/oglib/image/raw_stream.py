# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything on a device as a partclone stream: one in which every block counts as used.

For what partclone does not know (encrypted volumes, unknown filesystems). Reads only.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator

from oglib.errors import ImageError, WriteError
from oglib.image.partclone import (
    BITMAP_BITS,
    CHECKSUM_NONE,
    MAX_BITMAP_BYTES,
    Header,
    crc32,
)
from oglib.image.target import Target

_BLOCKS_BYTES = (4096, 512)
_STEP_BYTES = 1 << 20
_WORD = "raw"  # partclone.imager's, so that partclone.restore takes it


class RawStream(io.RawIOBase):
    """The stream; read it by ``readinto`` to its end."""

    def __init__(self, source: Target) -> None:
        self._source = source
        self._offset = 0
        self._prefix = _prefix(_header(source))
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        if not self._piece:
            self._piece = memoryview(next(self._prefix, b""))
        if self._piece:
            count = min(len(room), len(self._piece))
            room[:count] = self._piece[:count]
            self._piece = self._piece[count:]
            return count
        return self._content(memoryview(room)[: self._source.size_bytes - self._offset])

    def _content(self, room: memoryview) -> int:
        if not room:
            return 0
        try:
            count = os.preadv(self._source.fd, [room], self._offset)
        except OSError as error:
            raise WriteError(
                f"{self._source.path} cannot be read at byte {self._offset}: {error.strerror}.",
                hint="The disk may be failing; look at its SMART data and the kernel's log.",
            ) from error
        self._offset += count
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
