# SPDX-License-Identifier: GPL-3.0-or-later
"""lz4 files: frames with their checksums, and the legacy form of independent 8 MiB blocks."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

import lz4.block
import lz4.frame

from oglib.errors import ImageError
from oglib.image.ordered import in_order
from oglib.image.reading.unpack.detect import is_skippable, skippable_bytes
from oglib.image.reading.unpack.feed import Feed

_FRAME = b"\x04\x22\x4d\x18"
_LEGACY = b"\x02\x21\x4c\x18"
_DICTIONARY = 0x01
_PIECE_BYTES = 4 << 20
_LEGACY_BLOCK_BYTES = 8 << 20
_MOST_LEGACY_STORED = _LEGACY_BLOCK_BYTES + _LEGACY_BLOCK_BYTES // 255 + 16


def unpack(feed: Feed, workers: int) -> Generator[bytes, None, None]:
    """The content in pieces of at most 8 MiB; a legacy file has no checksum to verify."""

    def work(block: tuple[bytes, int]) -> bytes:
        return _unpack_block(feed, *block)

    while not feed.at_end():
        magic = feed.exactly(4)
        if magic == _FRAME:
            feed.put_back(magic)
            yield from _frame(feed)
        elif magic == _LEGACY:
            with closing(in_order(work, _stored_blocks(feed), workers)) as pieces:
                yield from pieces
        elif is_skippable(head := magic + feed.exactly(4)):
            feed.skip(skippable_bytes(head) - len(head))
        else:
            raise feed.damaged("what follows the last frame is no lz4 data")


def _frame(feed: Feed) -> Generator[bytes, None, None]:
    head = feed.exactly(5)
    feed.put_back(head)
    if head[4] & _DICTIONARY:
        raise ImageError(
            f"{feed.name} can be unpacked only with the dictionary it was compressed with.",
            hint="Unpack it with lz4 -D and restore the result.",
        )
    context = lz4.frame.create_decompression_context()
    data, ended = memoryview(b""), False
    while not ended:
        if not data and not (data := memoryview(feed.read())):
            raise feed.damaged("it ends too early")
        try:
            piece, count, ended = lz4.frame.decompress_chunk(context, data, _PIECE_BYTES)
        except RuntimeError as error:
            raise feed.damaged(f"lz4 says {error}") from None
        data = data[count:]
        if piece:
            yield piece
    feed.put_back(bytes(data))


def _stored_blocks(feed: Feed) -> Iterator[tuple[bytes, int]]:
    """Each block of a legacy file with the position after it; up to the end or the next magic."""
    while not feed.at_end():
        length = feed.exactly(4)
        stored_len = int.from_bytes(length, "little")
        if stored_len > _MOST_LEGACY_STORED:
            # No length is that large, so it is what follows this frame.
            feed.put_back(length)
            return
        yield feed.exactly(stored_len), feed.position


def _unpack_block(feed: Feed, stored: bytes, end: int) -> bytes:
    try:
        piece: bytes = lz4.block.decompress(stored, uncompressed_size=_LEGACY_BLOCK_BYTES)
    except lz4.block.LZ4BlockError as error:
        raise feed.damaged(f"lz4 says {error}", end) from None
    return piece
