# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs no library of its own: xz, the older lzma and bzip2 (slow), and what is not packed."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Generator

from oglib.image.reading.unpack.feed import Feed

_PIECE_BYTES = 1 << 20
# xz -9 needs 65 MiB; what asks for more was made to exhaust a classroom PC.
_MEMORY_BYTES = 128 << 20

Decompressor = lzma.LZMADecompressor | bz2.BZ2Decompressor


def as_it_is(feed: Feed, _workers: int) -> Generator[bytes, None, None]:
    """A file that no compressor wrote."""
    while data := feed.read():
        yield data


def unpack_xz(feed: Feed, _workers: int) -> Generator[bytes, None, None]:
    """xz, any number of streams, zeros between them as the format allows."""
    return _streams(feed, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY_BYTES), padded=True)


def unpack_lzma(feed: Feed, _workers: int) -> Generator[bytes, None, None]:
    """The headerless predecessor of xz; it has no checksum."""
    return _streams(feed, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, _MEMORY_BYTES))


def unpack_bzip2(feed: Feed, _workers: int) -> Generator[bytes, None, None]:
    """bzip2, any number of streams (pbzip2 writes many)."""
    return _streams(feed, bz2.BZ2Decompressor)


def _streams(
    feed: Feed, make: Callable[[], Decompressor], *, padded: bool = False
) -> Generator[bytes, None, None]:
    try:
        while not feed.at_end():
            decompressor = make()
            yield from _stream(feed, decompressor)
            feed.put_back(decompressor.unused_data)
            if padded:
                _skip_zeros(feed)
    except lzma.LZMAError as error:
        raise feed.damaged(f"xz says {error}") from None
    except (OSError, ValueError) as error:
        # bz2 has no error of its own. The source's errors are OgErrors and pass.
        raise feed.damaged(f"bzip2 says {error}") from None


def _stream(feed: Feed, decompressor: Decompressor) -> Generator[bytes, None, None]:
    while not decompressor.eof:
        data = feed.read() if decompressor.needs_input else b""
        if decompressor.needs_input and not data:
            raise feed.damaged("it ends too early")
        if piece := decompressor.decompress(data, _PIECE_BYTES):
            yield piece


def _skip_zeros(feed: Feed) -> None:
    while not feed.at_end():
        four = feed.exactly(4)
        if any(four):
            feed.put_back(four)
            return
