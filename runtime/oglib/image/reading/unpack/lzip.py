# SPDX-License-Identifier: GPL-3.0-or-later
"""lzip files, also of many members (plzip), through the LZMA decoder of Python's own library.

Each member: ``LZIP``, version 1, coded dictionary size | LZMA data with lc 3, lp 0, pb 2 and a mark
at its end | u32 CRC of the content, u64 its length, u64 length of the whole member, little-endian.
"""

from __future__ import annotations

import lzma
import struct
from collections.abc import Generator

from isal import isal_zlib

from oglib.errors import ImageError
from oglib.image.reading.unpack.feed import Feed

MAGIC = b"LZIP"
_VERSION = 1
_HEAD_BYTES = 6
_TAIL = struct.Struct("<IQQ")
_PIECE_BYTES = 1 << 20
_LEAST_DICTIONARY, _MOST_DICTIONARY = 4 << 10, 512 << 20
# lzip -9 needs 32 MiB; what asks for more was made to exhaust a classroom PC.
_MEMORY_BYTES = 128 << 20


def unpack(feed: Feed, _workers: int) -> Generator[bytes, None, None]:
    """The content in pieces of at most 1 MiB; each member's CRC and lengths are verified."""
    while not feed.at_end():
        head = feed.exactly(_HEAD_BYTES)
        if not head.startswith(MAGIC) or head[4] != _VERSION:
            raise feed.damaged("what follows the last member is no lzip data")
        yield from _member(feed, _dictionary_bytes(feed, head[5]))


def _dictionary_bytes(feed: Feed, coded: int) -> int:
    """A power of two in the lower five bits, less so many sixteenths of it in the upper three."""
    base = 1 << (coded & 31)
    size = base - base // 16 * (coded >> 5)
    if not _LEAST_DICTIONARY <= size <= _MOST_DICTIONARY:
        raise feed.damaged("the size of its dictionary is impossible")
    if size > _MEMORY_BYTES:
        raise ImageError(
            f"{feed.name} needs {size >> 20} MiB of memory to be unpacked, more than is given.",
            hint="Unpack it with lzip and compress it again with zstd.",
        )
    return size


def _member(feed: Feed, dictionary_bytes: int) -> Generator[bytes, None, None]:
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": dictionary_bytes, "lc": 3, "lp": 0, "pb": 2}]
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    start, checksum, length = feed.position - _HEAD_BYTES, 0, 0
    try:
        while not decompressor.eof:
            data = feed.read() if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                raise feed.damaged("it ends too early")
            if piece := decompressor.decompress(data, _PIECE_BYTES):
                checksum = isal_zlib.crc32(piece, checksum)
                length += len(piece)
                yield piece
    except lzma.LZMAError as error:
        raise feed.damaged(f"lzma says {error}") from None
    feed.put_back(decompressor.unused_data)
    stored = _TAIL.unpack(feed.exactly(_TAIL.size))
    if stored != (checksum, length, feed.position - start):
        raise feed.damaged("a checksum or length does not match")
