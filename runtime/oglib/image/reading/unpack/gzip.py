# SPDX-License-Identifier: GPL-3.0-or-later
"""gzip files, also of several members (pigz, bgzip), through Intel's library."""

from __future__ import annotations

from collections.abc import Generator
from gzip import BadGzipFile

from isal import igzip, isal_zlib

from oglib.image.reading.unpack.feed import Feed

_PIECE_BYTES = 1 << 20


def unpack(feed: Feed, _workers: int) -> Generator[bytes, None, None]:
    """The content in pieces of at most 1 MiB; each member's CRC and length are verified."""
    try:
        with igzip.IGzipFile(fileobj=feed, mode="rb") as file:  # type: ignore[no-untyped-call]
            while piece := file.read(_PIECE_BYTES):
                yield piece
    except EOFError:
        raise feed.damaged("it ends too early") from None
    except (BadGzipFile, isal_zlib.IsalError) as error:  # type: ignore[misc]
        raise feed.damaged(f"gzip says {error}") from None
