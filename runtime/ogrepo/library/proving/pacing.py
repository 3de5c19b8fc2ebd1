# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading no faster than is said, so that proving images does not starve those who fetch them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from oglib.image.reading.source import FileSource

_SAVED_S = 0.5  # so much time that was not used may be made up for


class Pace:
    """At most ``bytes_per_s`` over time, for any number of threads together; 0 = as it goes."""

    def __init__(
        self,
        bytes_per_s: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._due = clock()

    def took(self, count: int) -> None:
        """So many bytes were read; returns when the next may be."""
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            self._due = max(self._due, now - _SAVED_S) + count / self._rate
            wait = self._due - now
        if wait > 0:
            self._sleep(wait)


class PacedSource(FileSource):
    """A file that is read at a pace."""

    def __init__(self, path: Path, pace: Pace) -> None:
        super().__init__(path)
        self._pace = pace

    def read(self, offset: int, length: int) -> bytes:
        data = super().read(offset, length)
        self._pace.took(length)
        return data
