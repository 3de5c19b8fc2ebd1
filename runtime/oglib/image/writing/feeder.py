# SPDX-License-Identifier: GPL-3.0-or-later
"""What brings the frames of an image to the writer: asked for, or sent by somebody else.

A restore has several, one behind the other: what is pushed comes first, in whatever order and as
far as it comes; what the writer is ``missing`` after that is pulled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from oglib.cancel import NEVER, Cancel
from oglib.errors import ImageError


class Taker(Protocol):
    """What a feeder knows of the writer."""

    def accept(self, index: int, stored: bytes | memoryview) -> None:
        """Take a frame as it is stored, from any thread; ``ImageError`` where it is damaged."""
        ...

    def missing(self) -> Iterator[int]:
        """The frames that nobody brought yet, ascending."""
        ...


class RangeTaker(Protocol):
    """What one who asks for neighbouring frames together knows of the writer."""

    def accept_all(self, first: int, stored: Sequence[bytes | memoryview]) -> None:
        """``Taker.accept`` for frames that follow each other from ``first``."""
        ...


class Feeder(Protocol):
    """One source of stored frames."""

    @property
    def fetched_bytes(self) -> int:
        """Stored bytes that it brought so far."""
        ...

    def run(self) -> None:
        """Return when it has nothing more to bring; raise the first error that ends it."""
        ...

    def stop(self) -> None:
        """Let it end after the piece at hand, from any thread; wait a little for it."""
        ...


# Makes a feeder for the writer of one restore.
Feeding = Callable[[Taker], Feeder]


class PushFeeder:
    """Hands on the frames that somebody sends, as (index, stored bytes), in whatever order.

    What is damaged on its way or belongs to no frame is counted (``spoiled``) and left for who
    pulls. It ends with the sender, and as soon as nothing is missing. The deadline of a sender that
    falls silent is with ``frames``, which then end or raise.
    """

    def __init__(
        self,
        frames: Iterable[tuple[int, bytes | memoryview]],
        taker: Taker,
        cancel: Cancel = NEVER,
    ) -> None:
        self._frames = frames
        self._taker = taker
        self._cancel = cancel
        self._stop = threading.Event()
        self.fetched_bytes = 0
        self.spoiled = 0

    def run(self) -> None:
        wanted, left = bytearray(), 0
        for index in self._taker.missing():
            wanted += bytes(index + 1 - len(wanted))
            wanted[index], left = 1, left + 1
        for index, stored in self._frames if left else ():
            self._cancel.check()
            if self._stop.is_set():
                return
            if not (0 <= index < len(wanted) and wanted[index]):
                continue
            try:
                self._taker.accept(index, stored)
            except ImageError:
                self.spoiled += 1
                continue
            self.fetched_bytes += len(stored)
            wanted[index], left = 0, left - 1
            if not left:
                return

    def stop(self) -> None:
        self._stop.set()
