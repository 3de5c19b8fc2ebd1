# SPDX-License-Identifier: GPL-3.0-or-later
"""Stored bytes in order, read ahead by threads: what every decompressor here takes its input from.

A read takes its time where the source is a web server; two are under way at once and a few more
wait, so that neither the network nor the decompressor stands idle. Judges no byte.
"""

from __future__ import annotations

from oglib.errors import ImageError
from oglib.image.ordered import in_order
from oglib.image.reading.source import FrameSource

_CHUNK_BYTES = 2 << 20
_READERS = 2


class Feed:
    """One pass over a source, for one thread at a time; it can be read like a file."""

    def __init__(self, source: FrameSource) -> None:
        self.name = source.describe()
        self._source = source
        self._chunks = in_order(self._fetch, range(0, source.size_bytes, _CHUNK_BYTES), _READERS)
        self._chunk = b""
        self._at = 0
        self._before = 0

    def _fetch(self, offset: int) -> bytes:
        return self._source.read(offset, min(_CHUNK_BYTES, self._source.size_bytes - offset))

    @property
    def position(self) -> int:
        """Stored bytes taken so far, for messages."""
        return self._before + self._at

    def at_end(self) -> bool:
        """Nothing is left; waits for the next chunk."""
        if self._at == len(self._chunk):
            self._before += self._at
            self._chunk, self._at = next(self._chunks, b""), 0
        return not self._chunk

    def read(self, count: int = -1) -> bytes:
        """Some bytes, at most ``count`` unless it is negative; none at the end."""
        if self.at_end():
            return b""
        stop = len(self._chunk) if count < 0 else min(self._at + count, len(self._chunk))
        data = self._chunk[self._at : stop]
        self._at = stop
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer`` as far as the chunk at hand goes; how much it was, 0 at the end."""
        if self.at_end():
            return 0
        data = memoryview(self._chunk)[self._at : self._at + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def held(self, count: int) -> tuple[bytes, int]:
        """A buffer and where in it the next ``count`` bytes are; copied only across chunks."""
        if self._at + count > len(self._chunk):
            return self._joined(count), 0
        start = self._at
        self._at += count
        return self._chunk, start

    def _joined(self, count: int) -> bytes:
        parts = [self._chunk[self._at :]]
        self._at = len(self._chunk)
        left = count - len(parts[0])
        while left:
            if self.at_end():
                raise self.damaged("it ends too early")
            self._at = min(left, len(self._chunk))
            parts.append(self._chunk[: self._at])
            left -= self._at
        return b"".join(parts)

    def exactly(self, count: int) -> bytes:
        """The next ``count`` bytes; ``ImageError`` when there are fewer."""
        chunk, start = self.held(count)
        return chunk[start : start + count]

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes; ``ImageError`` when there are fewer."""
        while count:
            if not (data := self.read(count)):
                raise self.damaged("it ends too early")
            count -= len(data)

    def put_back(self, data: bytes) -> None:
        """``data``, the last bytes read, are read once more."""
        self._before += self._at - len(data)
        self._chunk, self._at = data + self._chunk[self._at :], 0

    def damaged(self, why: str, position: int | None = None) -> ImageError:
        """The error for stored bytes that are wrong; by default before what is read next."""
        near = self.position if position is None else position
        return ImageError(
            f"The compressed data of {self.name} is damaged before byte {near}: {why}.",
            hint="Fetch the image again, or take another copy of it.",
        )

    def close(self) -> None:
        """End the reading threads; the source stays open."""
        self._chunks.close()
