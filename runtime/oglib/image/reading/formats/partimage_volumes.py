# SPDX-License-Identifier: GPL-3.0-or-later
"""partimage's volumes: each compressed for itself, each with a header before its bytes.

Volumes that were only cut (``split``) need nothing of this: joined, they are one stream.
"""

from __future__ import annotations

from collections.abc import Sequence

from oglib.errors import ImageError
from oglib.image.reading.formats.partimage import VOLUME_BYTES, VOLUME_MAGIC, check_volume
from oglib.image.reading.source import FrameSource
from oglib.image.reading.unpack import unpacked
from oglib.image.reading.volumes import VolumeSource


def parts_of(source: FrameSource) -> tuple[FrameSource, ...]:
    """The volumes of ``source``, or itself."""
    return tuple(source.parts) if isinstance(source, VolumeSource) else (source,)


def are_partimage(parts: Sequence[FrameSource]) -> bool:
    """Whether the volumes behind the first begin with partimage's header."""
    if len(parts) == 1:
        return False
    with unpacked(parts[1], workers=1) as second:
        return b"".join(second.take_up_to(len(VOLUME_MAGIC))) == VOLUME_MAGIC


class Volumes:
    """The decompressed bytes of all volumes, without the headers of all but the first.

    Has what ``Unpacked`` has; the sources stay open.
    """

    def __init__(self, parts: Sequence[FrameSource], workers: int | None) -> None:
        self._parts = parts
        self._workers = workers
        self._number = 0
        self._current = unpacked(parts[0], workers=workers)
        self._before = 0
        self._first = b""
        self.compressor = self._current.compressor

    @property
    def position(self) -> int:
        return self._before + self._current.position

    def _next(self) -> bool:
        """Go on to the next volume; False where there is none."""
        self._current.finish()
        if self._number + 1 == len(self._parts):
            return False
        self._before += self._current.position
        self._current.close()
        self._number += 1
        self._current = unpacked(self._parts[self._number], workers=self._workers)
        header = b"".join(self._current.take_up_to(VOLUME_BYTES))
        self._before -= VOLUME_BYTES
        if check_volume(header, self._number) != self._identity():
            raise ImageError(f"Volume {self._number} belongs to another partimage image.")
        return True

    def _identity(self) -> bytes:
        if not self._first:
            with unpacked(self._parts[0], workers=1) as first:
                self._first = check_volume(b"".join(first.take_up_to(VOLUME_BYTES)), 0)
        return self._first

    def take_up_to(self, count: int) -> list[memoryview]:
        views: list[memoryview] = []
        while True:
            got = self._current.take_up_to(count)
            views += got
            count -= sum(len(view) for view in got)
            if not count or not self._next():
                return views

    def take(self, count: int) -> list[memoryview]:
        views = self.take_up_to(count)
        if sum(len(view) for view in views) < count:
            raise ImageError("The last volume of the partimage image ends too early.")
        return views

    def skip(self, count: int) -> None:
        while count:
            step = min(count, 1 << 20)
            self.take(step)
            count -= step

    def at_end(self) -> bool:
        while self._current.at_end():
            if not self._next():
                return True
        return False

    def finish(self) -> None:
        if not self.at_end():
            raise ImageError("There is something behind the end of the partimage image.")

    def close(self) -> None:
        self._current.close()
