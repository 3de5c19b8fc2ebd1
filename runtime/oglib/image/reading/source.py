# SPDX-License-Identifier: GPL-3.0-or-later
"""Where stored bytes come from: the protocol every source has, and the one over a local file.

A source gives exact byte ranges to any number of threads at once, or fails. It judges nothing:
digests are the writer's business, and a source that has several places (``Supply``) is told what
they found. Sources over a network live in ``oglib.transfer``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from oglib.errors import ImageError, NotFoundError
from oglib.filesystem.share import place_of
from oglib.kernel.far import FarFile

# Neighbouring frames are asked for together, up to so much.
_RANGE_BYTES = 4 << 20
# Of a local file, which answers at once: it is in the processor's cache when it is unpacked.
_LOCAL_RANGE_BYTES = 1 << 20
# What is under way together is lost with a connection, so it is at most this part of the image.
_PART_UNDER_WAY = 20


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


@runtime_checkable
class Supply(Protocol):
    """What a source can do beside reading when it has the same bytes from several places."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Those of its places that are files of this PC."""
        ...

    @property
    def range_bytes(self) -> int:
        """How much is best asked for at once."""
        ...

    @property
    def said(self) -> tuple[str, ...]:
        """What was wrong with which place, a line each."""
        ...

    @property
    def came_from(self) -> tuple[tuple[str, int], ...]:
        """Each place that gave something, and how many bytes."""
        ...

    def listen(self, tell: Callable[[str], None]) -> None:
        """``tell`` gets each of those lines, from any thread; those of before at once."""
        ...

    def wrong(self, offset: int, length: int) -> bool:
        """These bytes, read before, are wrong: whether to read them again, from another place."""
        ...


def supply_of(source: FrameSource) -> Supply | None:
    """None: there is one place, and what is wrong there stays wrong."""
    return source if isinstance(source, Supply) else None


def is_elsewhere(source: FrameSource, offset: int, length: int) -> bool:
    """Whether these bytes, which are wrong as they were read, can be had from another place."""
    supply = supply_of(source)
    return supply is not None and supply.wrong(offset, length)


def holds(source: FrameSource, offset: int, expected: bytes) -> bool:
    """Whether any of its places has ``expected`` there."""
    while source.read(offset, len(expected)) != expected:
        if not is_elsewhere(source, offset, len(expected)):
            return False
    return True


def files_of(source: FrameSource) -> tuple[Path, ...]:
    """The files of this PC that it reads."""
    if isinstance(source, FileSource):
        return (source.path,)
    supply = supply_of(source)
    return supply.files if supply is not None else ()


def range_bytes_of(source: FrameSource, readers: int) -> int:
    """How much each of so many ``readers`` is best to ask for at once."""
    if isinstance(source, FileSource):
        return _LOCAL_RANGE_BYTES
    supply = supply_of(source)
    most = supply.range_bytes if supply is not None else _RANGE_BYTES
    return min(most, source.size_bytes // (_PART_UNDER_WAY * readers))


class FileSource:
    """A regular file; FIFOs, devices and folders are refused. On a share every read has an end.

    ``far``: whether it is on one; None where nobody has looked yet.
    """

    def __init__(self, path: Path, far: bool | None = None) -> None:
        self.path = path
        self._fd = -1
        far = place_of(path).is_far if far is None else far
        self._far = FarFile(path) if far else None
        if self._far is None:
            self._size = self._open()
        else:
            self._size = self._far.size_bytes

    def _open(self) -> int:
        try:
            # O_NONBLOCK: opening a FIFO must not wait for a writer that never comes.
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise NotFoundError(
                f"The image file {self.path} cannot be read: {error.strerror}."
            ) from error
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise ImageError(f"{self.path} is not a regular file.")
        return status.st_size

    @property
    def size_bytes(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        if self._far is not None:
            return b"".join(self._far.pieces(offset, offset + length))
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
        if self._far is not None:
            self._far.close()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
