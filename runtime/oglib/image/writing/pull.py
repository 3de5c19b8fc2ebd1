# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches frames from a source and hands them to the writer, several threads at once.

Neighbouring frames are fetched as one range of a MiB or a few, and never so long that what is under
way together is much of the image: an interruption loses no more. The first error, or Ctrl-C, stops
every thread after the range at hand: what was fetched is written, a rerun need not ask again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from oglib.cancel import NEVER, Cancel
from oglib.image.reading.decode import AlteredError
from oglib.image.reading.opened import OpenImage
from oglib.image.reading.source import is_elsewhere, range_bytes_of
from oglib.image.writing.feeder import RangeTaker

_PATIENCE_S = 5.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class _Range:
    first: int
    count: int
    offset: int
    length: int


class Puller:
    """Pulls ``wanted`` frames into ``writer`` with ``workers`` threads."""

    def __init__(
        self,
        image: OpenImage,
        writer: RangeTaker,
        wanted: Iterator[int],
        workers: int,
        cancel: Cancel = NEVER,
    ) -> None:
        self._image = image
        self._cancel = cancel
        self._writer = writer
        self._ranges = self._joined(wanted)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._left_behind = threading.Event()
        self._error: BaseException | None = None
        self.fetched_bytes = 0
        # Daemons: one that hangs in a dead connection must not keep the process alive.
        self._threads = [
            threading.Thread(target=self._work, name=f"og-pull-{number}", daemon=True)
            for number in range(workers)
        ]

    def run(self) -> None:
        """Return when every frame was accepted; raise the first error."""
        try:
            for thread in self._threads:
                thread.start()
            for thread in self._threads:
                while thread.is_alive():
                    thread.join(_LOOK_S)
                    self._cancel.check()  # also while all of them wait for a turn, or a dead server
        except BaseException:
            self.stop()
            raise
        if self._error:
            raise self._error

    def stop(self) -> None:
        """Let every thread end after the range at hand; wait a little for them."""
        self._stop.set()
        deadline = time.monotonic() + _PATIENCE_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        self._left_behind.set()  # what they still get comes too late to be written

    def _joined(self, wanted: Iterator[int]) -> Iterator[_Range]:
        """Join neighbouring frames while a range stays small."""
        most = range_bytes_of(self._image.source, len(self._threads))
        frames = self._image.frames
        first = count = offset = length = 0
        for index in wanted:
            frame = frames[index]
            if count and index == first + count and length + frame.stored_len <= most:
                count, length = count + 1, length + frame.stored_len
                continue
            if count:
                yield _Range(first, count, offset, length)
            first, count, offset, length = index, 1, frame.offset, frame.stored_len
        if count:
            yield _Range(first, count, offset, length)

    def _next(self) -> _Range | None:
        with self._lock:
            return None if self._stop.is_set() else next(self._ranges, None)

    def _work(self) -> None:
        try:
            while part := self._next():
                self._cancel.check()
                self._take(part)
        except BaseException as error:  # noqa: BLE001 - raised again by run()
            with self._lock:
                self._error = self._error or error
            self._stop.set()

    def _take(self, part: _Range) -> None:
        while not self._is_taken(part):
            self._cancel.check()

    def _is_taken(self, part: _Range) -> bool:
        """Fetch a range and hand it on; False: some of it was wrong and is elsewhere too.

        What the writer has of it already it passes over when it comes again.
        """
        source = self._image.source
        data = memoryview(source.read(part.offset, part.length))
        if self._left_behind.is_set():
            return True
        with self._lock:
            self.fetched_bytes += part.length
        frames = (self._image.frames[part.first + number] for number in range(part.count))
        starts = ((frame.offset - part.offset, frame.stored_len) for frame in frames)
        try:
            self._writer.accept_all(
                part.first, [data[start : start + length] for start, length in starts]
            )
        except AlteredError as error:
            frame = self._image.frames[error.index]
            if not is_elsewhere(source, frame.offset, frame.stored_len):
                raise
            return False
        return True
