# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources for bytes that are sent and cannot be asked for: chunks of a file, ends of an image.

``ChunkSource`` lets a foreign image be read while it comes, where its format is read from front to
end; ``Ends`` opens an image of ours before any of its body is there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from oglib.errors import ImageError

_KEPT_BYTES = 8 << 20  # of the beginning: it is looked at before the image is read
_WINDOW_BYTES = 32 << 20  # behind what came last: several threads read, not quite in order


class ChunkSource:
    """The chunks of one file, in order, as a source that is read once from front to end.

    ``size_bytes``: of the whole file, as the sender announced it. What was passed is gone, but for
    the first MiB: who asks for it gets an ``ImageError``, as does who waits for what never came.
    """

    def __init__(self, chunks: Iterator[bytes], size_bytes: int, name: str) -> None:
        self._chunks = chunks
        self._size = size_bytes
        self._name = name
        self._lock = threading.Lock()
        self._head = bytearray()
        self._window = bytearray()
        self._window_at = 0

    @property
    def size_bytes(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        end = offset + length
        with self._lock:
            if end <= len(self._head):
                return bytes(self._head[offset:end])
            while self._window_at + len(self._window) < end:
                self._take()
            if offset < self._window_at:
                raise ImageError(
                    f"{self._name} comes once, from front to end, and byte {offset} is past.",
                    hint="This format is read from a file or an address.",
                )
            start = offset - self._window_at
            return bytes(self._window[start : start + length])

    def _take(self) -> None:
        chunk = next(self._chunks, b"")
        came = self._window_at + len(self._window)
        if not chunk:
            raise ImageError(f"{self._name} ended after {came} of {self._size} bytes.")
        if came < _KEPT_BYTES:
            self._head += chunk[: _KEPT_BYTES - came]
        self._window += chunk
        over = len(self._window) - max(_WINDOW_BYTES, len(chunk))
        if over > 0:
            del self._window[:over]
            self._window_at += over

    def describe(self) -> str:
        return self._name

    def close(self) -> None:
        """What was not read is left to the sender."""


class Ends:
    """The two ends of an image of ours: frame 0, and the seek table behind the last frame.

    That is all that is read when it is opened. The body comes by other ways: asking for it is an
    error.
    """

    def __init__(self, head: bytes, tail: bytes, size_bytes: int, name: str) -> None:
        self._head = head
        self._tail = tail
        self._size = size_bytes
        self._name = name

    @property
    def size_bytes(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        end, tail_at = offset + length, self._size - len(self._tail)
        if offset >= 0 and end <= len(self._head):
            return self._head[offset:end]
        if tail_at <= offset and end <= self._size:
            return self._tail[offset - tail_at : end - tail_at]
        raise ImageError(f"Byte {offset} of {self._name} is in its body, which is not here.")

    def describe(self) -> str:
        return self._name

    def close(self) -> None:
        """Nothing is open."""
