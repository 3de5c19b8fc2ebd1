# SPDX-License-Identifier: GPL-3.0-or-later
"""Where stored bytes come from: the protocol every source has, and the one over a local file.

A source gives exact byte ranges to any number of threads at once, or fails. It judges nothing:
digests are the writer's business. Sources over a network live in ``oglib.transfer``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from oglib.errors import ImageError, NotFoundError


class FrameSource(Protocol):
    """Random access to one image file; every method may be called from any thread."""

    @property
    def size_bytes(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or an ``OgError``."""
        ...

    def describe(self) -> str:
        """Where this is, for messages and receipts."""
        ...

    def close(self) -> None: ...


class FileSource:
    """A regular file; FIFOs, devices and folders are refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # O_NONBLOCK: opening a FIFO must not wait for a writer that never comes.
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise NotFoundError(
                f"The image file {path} cannot be read: {error.strerror}."
            ) from error
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._fd)
            raise ImageError(f"{path} is not a regular file.")
        self._size = status.st_size

    @property
    def size_bytes(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        try:
            data = os.pread(self._fd, length, offset)
            while len(data) < length:
                more = os.pread(self._fd, length - len(data), offset + len(data))
                if not more:
                    raise ImageError(f"The image file {self.path} ends in the middle of a frame.")
                data += more
        except OSError as error:
            raise ImageError(
                f"Reading {self.path} at byte {offset} failed: {error.strerror}.",
                hint="The disk that holds the image may be failing.",
            ) from error
        return data

    def describe(self) -> str:
        return str(self.path)

    def close(self) -> None:
        """Once or more often: the number may be another file's as soon as it was given back."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
