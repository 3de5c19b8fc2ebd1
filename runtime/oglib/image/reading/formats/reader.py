# SPDX-License-Identifier: GPL-3.0-or-later
"""The decompressed bytes of a foreign image, in order, with a look ahead.

Knows no image format, and verifies nothing but that the compressed stream ends soundly.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from oglib.errors import ImageError


class Decompressed(Protocol):
    """What a reader reads: ``Unpacked``, or several of them one behind the other."""

    compressor: str

    @property
    def position(self) -> int: ...

    def take(self, count: int) -> list[memoryview]: ...

    def take_up_to(self, count: int) -> list[memoryview]: ...

    def skip(self, count: int) -> None: ...

    def at_end(self) -> bool: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class Reader:
    """One pass over ``inner``, which is closed with it."""

    def __init__(self, inner: Decompressed) -> None:
        self._inner = inner
        self._ahead = b""
        self.compressor = inner.compressor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        self._inner.close()

    @property
    def position(self) -> int:
        """How many bytes were taken."""
        return self._inner.position - len(self._ahead)

    def peek(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer at the end; they stay where they are."""
        if len(self._ahead) < count:
            more = self._inner.take_up_to(count - len(self._ahead))
            self._ahead = b"".join((self._ahead, *more))
        return self._ahead[:count]

    def take(self, count: int) -> list[memoryview]:
        """Exactly ``count`` bytes, uncopied; ``ImageError`` where the image ends before."""
        if not self._ahead:
            return self._inner.take(count)
        first = memoryview(self._ahead)[:count]
        self._ahead = self._ahead[count:]
        return [first, *self._inner.take(count - len(first))]

    def take_up_to(self, count: int) -> list[memoryview]:
        """As ``take``, but fewer bytes at the end, and none behind it."""
        if not self._ahead:
            return self._inner.take_up_to(count)
        first = memoryview(self._ahead)[:count]
        self._ahead = self._ahead[count:]
        return [first, *self._inner.take_up_to(count - len(first))]

    def take_bytes(self, count: int) -> bytes:
        return b"".join(self.take(count))

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes; ``ImageError`` where the image ends before."""
        ahead, self._ahead = len(self._ahead), self._ahead[count:]
        if count > ahead:
            self._inner.skip(count - ahead)

    def at_end(self) -> bool:
        return not self._ahead and self._inner.at_end()

    def finish(self) -> None:
        """``ImageError`` unless everything was taken and the compressed stream ended soundly."""
        if self._ahead:
            raise ImageError("There is something behind the end of the image.")
        self._inner.finish()
