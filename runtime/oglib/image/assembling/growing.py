# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of an image while it is made: frames come in any order, each to where it belongs.

What lies in the file is believed by its digest alone, so a file that an earlier run left is as good
as far as it came: no list of what is done is kept, and none can be wrong.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from blake3 import blake3

from oglib.cancel import NEVER, Cancel
from oglib.errors import ImageError
from oglib.image.format.seekable import seek_table
from oglib.image.reading.decode import check_stored
from oglib.image.reading.opened import OpenImage

# What a power cut may cost: so much is fetched again.
_LASTING_BYTES = 64 << 20
_NO_ROOM_ASKED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class GrowingFile:
    """The file at ``path``, which has the size of ``image`` from the beginning.

    Raises ``OSError`` where the disk has no room for it, or fails.
    """

    def __init__(self, path: Path, image: OpenImage) -> None:
        self._image = image
        self._name = image.manifest.name
        self._done = bytearray(len(image.frames))
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o644)
        try:
            self._take_room(image.manifest.image_size_bytes)
        except BaseException:
            os.close(self._fd)
            raise

    def _take_room(self, size_bytes: int) -> None:
        """All of it now, so that a disk that is too full says so before anything is fetched."""
        before = os.fstat(self._fd).st_size
        try:
            os.posix_fallocate(self._fd, 0, size_bytes)
        except OSError as error:
            if error.errno not in _NO_ROOM_ASKED:
                os.ftruncate(self._fd, min(before, size_bytes))
                raise
        os.ftruncate(self._fd, size_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        os.close(self._fd)

    def keep_what_is_right(self, advance: Callable[[int], None], cancel: Cancel = NEVER) -> int:
        """Find the frames that the file holds already; their bytes."""
        kept = 0
        for index, frame in enumerate(self._image.frames):
            advance(frame.stored_len)
            if not self._has_data(frame.offset, frame.stored_len):
                continue
            cancel.check()
            stored = os.pread(self._fd, frame.stored_len, frame.offset)
            if blake3(stored).digest() == frame.stored_blake3:
                self._done[index] = 1
                kept += frame.stored_len
        return kept

    def _has_data(self, offset: int, length: int) -> bool:
        """Whether anything was ever written there."""
        with suppress(OSError):
            return os.lseek(self._fd, offset, os.SEEK_DATA) < offset + length
        return False  # nothing but holes up to the end

    def missing(self) -> Iterator[int]:
        """The frames that nobody brought yet, ascending; a moment's answer."""
        for index, done in enumerate(self._done):
            if not done:
                yield index

    def accept_all(self, first: int, stored: Sequence[bytes | memoryview]) -> None:
        """Check frames that follow each other from ``first``, and write them; from any thread.

        ``AlteredError`` where one is not what the table says; those before it are written.
        """
        for index, data in enumerate(stored, first):
            self.accept(index, data)

    def accept(self, index: int, stored: bytes | memoryview) -> None:
        """The same of one frame. What is there already is passed over."""
        if self._done[index]:
            return
        frame = self._image.frames[index]
        check_stored(index, frame, stored, self._name)
        left, at = memoryview(stored), frame.offset
        while left:
            count = os.pwrite(self._fd, left, at)
            left, at = left[count:], at + count
        self._done[index] = 1
        self._last(len(stored))

    def _last(self, count: int) -> None:
        with self._lock:
            self._waiting_bytes += count
            if self._waiting_bytes < _LASTING_BYTES:
                return
            self._waiting_bytes = 0
        os.fdatasync(self._fd)

    def finish(self) -> None:
        """Write what follows from the table; raises ``ImageError`` where a frame is missing."""
        left = sum(1 for _ in self.missing())
        if left:
            raise ImageError(
                f"{left} frames of the image {self._name} never arrived.",
                hint="Run it again: only these are fetched.",
            )
        last = self._image.frames[len(self._image.frames) - 1]
        at = last.offset + last.stored_len
        for piece in seek_table(self._image.frames):
            at += os.pwrite(self._fd, piece, at)
