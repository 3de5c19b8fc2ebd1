# SPDX-License-Identifier: GPL-3.0-or-later
"""zstd files: one frame or many, skippable ones between them.

Frames are walked here by their block headers (RFC 8878, 3.1.1), because the library's readers take
a file that stops in the middle of a frame for a whole one. Small frames that tell their length
(pzstd, our own images) are unpacked side by side, any other as a stream.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import BinaryIO, cast

import zstandard

from oglib.errors import ImageError
from oglib.image.ordered import in_order
from oglib.image.reading.unpack.detect import is_skippable, skippable_bytes
from oglib.image.reading.unpack.feed import Feed

_MAGIC = b"\x28\xb5\x2f\xfd"
# zstd --long=27: beyond it the zstd command, too, wants to be asked twice.
_MAX_WINDOW_BYTES = 128 << 20
_SMALL_BYTES = 4 << 20
_PIECE_BYTES = 1 << 20
_INPUT_BYTES = 256 << 10
_RLE, _RESERVED = 1, 3

Job = Callable[[], bytes | bytearray]


def unpack(feed: Feed, workers: int) -> Generator[bytes | bytearray, None, None]:
    """The content in pieces of at most 4 MiB; the frames' checksums are verified."""
    with closing(in_order(lambda job: job(), _jobs(feed), workers)) as pieces:
        yield from pieces


def _jobs(feed: Feed) -> Iterator[Job]:
    contexts = threading.local()
    while not feed.at_end():
        magic = feed.exactly(4)
        if magic == _MAGIC:
            yield from _frame(feed, contexts)
        elif is_skippable(head := magic + feed.exactly(4)):
            feed.skip(skippable_bytes(head) - len(head))
        else:
            raise feed.damaged("what follows the last frame is no zstd data")


def _frame(feed: Feed, contexts: threading.local) -> Iterator[Job]:
    head = _MAGIC + feed.exactly(1)
    head += feed.exactly(zstandard.frame_header_size(head) - len(head))
    try:
        says = zstandard.get_frame_parameters(head)
    except zstandard.ZstdError as error:
        raise feed.damaged(f"zstd says {error}") from None
    if says.window_size > _MAX_WINDOW_BYTES:
        raise ImageError(
            f"{feed.name} needs a zstd window of {says.window_size} bytes; "
            f"more than {_MAX_WINDOW_BYTES} is not taken from a PC's memory.",
            hint="Compress it again with zstd --long=27 at most.",
        )
    if says.dict_id:
        raise ImageError(
            f"{feed.name} can be unpacked only with the dictionary it was compressed with.",
            hint="Unpack it with zstd -D and restore the result.",
        )
    frame = _Frame(feed, head, has_checksum=says.has_checksum)
    # An unknown length is a huge number here.
    if says.content_size > _SMALL_BYTES:
        for piece in _stream(feed, frame):
            yield partial(_done, piece)
        return
    stored = frame.read(2 * _SMALL_BYTES)
    if not frame.ended:
        raise feed.damaged("a frame is longer than it says")
    yield partial(_unpack_small, feed, stored, feed.position, contexts)


def _done(piece: bytearray) -> bytearray:
    return piece


class _Frame:
    """The stored bytes of one frame, by its block headers; ``read`` alone makes it a file."""

    def __init__(self, feed: Feed, head: bytes, *, has_checksum: bool) -> None:
        self._feed = feed
        self._head = head
        self._has_checksum = has_checksum
        self.ended = False

    def read(self, count: int) -> bytes:
        """Whole blocks, until ``count`` bytes are reached or the frame ends; none after it."""
        parts, self._head = [self._head], b""
        have = 0
        while have < count and not self.ended:
            block = self._block()
            parts.append(block)
            have += len(block)
        return b"".join(parts)

    def _block(self) -> bytes:
        start = self._feed.exactly(3)
        says = int.from_bytes(start, "little")
        self.ended, kind, size = bool(says & 1), says >> 1 & 3, says >> 3
        # Reserved or too large a block is the library's to refuse; it never needs more bytes.
        stored = 1 if kind == _RLE else 0 if kind == _RESERVED else size
        checksum = 4 if self.ended and self._has_checksum else 0
        return start + self._feed.exactly(stored + checksum)


def _unpack_small(feed: Feed, stored: bytes, end: int, contexts: threading.local) -> bytes:
    if not hasattr(contexts, "context"):
        contexts.context = zstandard.ZstdDecompressor()
    try:
        content: bytes = contexts.context.decompress(stored)
    except zstandard.ZstdError as error:
        raise feed.damaged(f"zstd says {error}", end) from None
    return content


def _stream(feed: Feed, frame: _Frame) -> Generator[bytearray, None, None]:
    context = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
    # It wants a file; reading is all that it does with one.
    reader = context.stream_reader(cast("BinaryIO", frame), read_size=_INPUT_BYTES)
    count = _PIECE_BYTES
    try:
        while count == _PIECE_BYTES:
            piece = bytearray(_PIECE_BYTES)
            count = reader.readinto(piece)
            del piece[count:]
            if piece:
                yield piece
    except zstandard.ZstdError as error:
        raise feed.damaged(f"zstd says {error}") from None
