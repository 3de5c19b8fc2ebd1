# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a recording has its bytes from: partclone's stream, or the partition under its bitmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from oglib.errors import ImageError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.frames import region_bytes_for
from oglib.image.format.partclone import (
    BITMAP_BITS,
    CHECKSUM_NONE,
    HEADER_BYTES,
    Header,
    parse_header,
)
from oglib.image.writing.target import Target

_PIECE_BYTES = 1 << 20

Fill = Callable[[int, memoryview], None]
"""Fills the room with the used blocks of the region whose first block is given, in order."""


class StreamEnded(ImageError):
    """The stream stopped in the middle; why is for its program to say."""


def spool_head(stream: BinaryIO, prefix: BinaryIO) -> Header:
    """Read header and bitmap into ``prefix``; the header must be one we ask partclone for."""
    raw = bytearray(HEADER_BYTES)
    _fill(stream, memoryview(raw))
    header = parse_header(raw)
    if header.checksum_mode != CHECKSUM_NONE or header.bitmap_mode != BITMAP_BITS:
        raise ImageError("partclone wrote checksums or another bitmap than was asked for.")
    prefix.write(raw)
    left, room = header.prefix_bytes - HEADER_BYTES, memoryview(bytearray(_PIECE_BYTES))
    while left:
        piece = room[: min(left, _PIECE_BYTES)]
        _fill(stream, piece)
        prefix.write(piece)
        left -= len(piece)
    prefix.flush()
    return header


def from_stream(stream: BinaryIO) -> Fill:
    """The blocks as the stream has them, behind its head."""
    return lambda _first_block, room: _fill(stream, room)


def from_source(source: Target, header: Header, bitmap: Bitmap) -> Fill:
    """The blocks under the bitmap, from the partition itself."""
    size = header.block_size
    per_region = region_bytes_for(size) // size
    if header.total_blocks * size > source.size_bytes:
        raise ImageError(
            f"partclone counts {header.total_blocks} blocks on {source.path}, which is smaller.",
            hint="Is the filesystem larger than its partition? Check it (og fs check).",
        )

    def fill(first_block: int, room: memoryview) -> None:
        for block, count in bitmap.runs(first_block, per_region):
            source.read_into(room[: count * size], block * size)
            room = room[count * size :]

    return fill


def _fill(stream: BinaryIO, room: memoryview) -> None:
    """Read until ``room`` is full; the stream's end is an error."""
    while room:
        count = stream.readinto(room)  # type: ignore[attr-defined]
        if not count:
            raise StreamEnded("partclone ended before the image was complete.")
        room = room[count:]
