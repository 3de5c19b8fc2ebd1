# SPDX-License-Identifier: GPL-3.0-or-later
"""The decompressed bytes of a source, taken by count and without copying.

Owns the threads that read and unpack ahead. What the bytes mean is the taker's business; as it
takes only what it asked for, a file that unpacks to more than any disk holds does no harm.
"""

from __future__ import annotations

from contextlib import closing

from oglib.errors import ImageError
from oglib.image.heap import keep_freed_memory
from oglib.image.ordered import made_ahead, worker_count
from oglib.image.reading.source import FrameSource
from oglib.image.reading.unpack.compressors import COMPRESSORS, Pieces
from oglib.image.reading.unpack.detect import compressor_in
from oglib.image.reading.unpack.feed import Feed

# Twice as many pieces as workers are in memory: 1 MiB each, and never more than 8 MiB.
_MOST_WORKERS = 4
_MOST_PIECE_BYTES = 8 << 20


class Unpacked:
    """Made by ``unpacked``; for one thread at a time. Views stay valid while referenced."""

    def __init__(self, compressor: str, feed: Feed, pieces: Pieces) -> None:
        self.compressor = compressor
        self.position = 0
        self._name = feed.name
        self._pieces = _ahead(feed, pieces)
        self._piece = memoryview(b"")
        self._failed: BaseException | None = None

    def _waiting(self) -> bool:
        """Whether there is anything more; brings the next piece when the last is used up."""
        while not self._piece:
            # A generator that failed looks like one that ended, so the failure is kept.
            if self._failed is not None:
                raise self._failed
            try:
                piece = next(self._pieces, None)
            except BaseException as error:
                self._failed = error
                raise
            if piece is None:
                return False
            self._piece = memoryview(piece).toreadonly()
        return True

    def at_end(self) -> bool:
        """Nothing is left, and the compressed data ended as it should."""
        return not self._waiting()

    def take_up_to(self, count: int) -> list[memoryview]:
        """The next ``count`` bytes; fewer only at the end, where the list is empty."""
        views = []
        while count and self._waiting():
            view = self._piece[:count]
            self._piece = self._piece[len(view) :]
            self.position += len(view)
            count -= len(view)
            views.append(view)
        return views

    def take(self, count: int) -> list[memoryview]:
        """Exactly ``count`` bytes, or ``ImageError``."""
        wanted = self.position + count
        views = self.take_up_to(count)
        if self.position != wanted:
            raise self._too_short(wanted)
        return views

    def take_bytes(self, count: int) -> bytes:
        """Exactly ``count`` bytes in one piece, for headers; ``ImageError`` if there are fewer."""
        return b"".join(self.take(count))

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes, however many; ``ImageError`` if there are fewer."""
        wanted = self.position + count
        while self.position < wanted:
            if not self._waiting():
                raise self._too_short(wanted)
            step = min(len(self._piece), wanted - self.position)
            self._piece = self._piece[step:]
            self.position += step

    def _too_short(self, wanted: int) -> ImageError:
        return ImageError(
            f"The image {self._name} is cut off: it holds {self.position} bytes of content, "
            f"at least {wanted} belong to it.",
            hint="Fetch the image again, or take another copy of it.",
        )

    def finish(self) -> None:
        """Raise ``ImageError`` unless all was taken and the compressed data ended soundly."""
        if not self.at_end():
            raise ImageError(
                f"The image {self._name} goes on after its end, at byte {self.position} "
                "of its content.",
                hint="Something was appended, or the image is not what its header says.",
            )

    def close(self) -> None:
        """End the threads; the source stays open."""
        self._pieces.close()

    def __enter__(self) -> Unpacked:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ahead(feed: Feed, pieces: Pieces) -> Pieces:
    """``pieces``, unpacked by a thread while the taker works on those before."""
    with closing(feed), closing(pieces), closing(made_ahead(pieces)) as ready:
        yield from ready


def unpacked(source: FrameSource, *, workers: int | None = None) -> Unpacked:
    """Detect the compressor of ``source`` and unpack it from its start.

    Raises ``ImageError`` for a compressor that is known but cannot be read here.
    """
    compressor = compressor_in(source)
    known = next(one for one in COMPRESSORS if one.name == compressor)
    if not known.module:
        raise ImageError(
            f"{source.describe()} is compressed with {compressor}, which ogLive cannot read.",
            hint=f"Unpack it with {compressor} first, or compress it again with zstd.",
        )
    keep_freed_memory()
    threads = min(_MOST_WORKERS, worker_count(workers, _MOST_PIECE_BYTES))
    feed = Feed(source)
    return Unpacked(compressor, feed, known.unpacker()(feed, threads))
