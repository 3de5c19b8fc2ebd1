# SPDX-License-Identifier: GPL-3.0-or-later
"""A source whose bytes pass somebody on their way, each once and in order.

An image is read once: while its reader proves that it is whole, its digests are taken, and its copy
is written. What the reader asks for twice, out of order, or never, changes nothing for who listens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from oglib.image.reading.source import FrameSource

_STEP_BYTES = 2 << 20
_MOST_EARLY_BYTES = 64 << 20  # of what was read ahead of what is next; the rest is read again


class Tapped:
    """``inner``, which belongs to it; ``take`` is given all of its bytes. A ``FrameSource``."""

    def __init__(self, inner: FrameSource, take: Callable[[bytes], None]) -> None:
        self.size_bytes = inner.size_bytes
        self._inner = inner
        self._take = take
        self._lock = threading.Lock()
        self._at = 0
        self._early: dict[int, bytes] = {}

    def describe(self) -> str:
        return self._inner.describe()

    def close(self) -> None:
        self._inner.close()

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or an ``OgError``."""
        data = self._inner.read(offset, length)
        with self._lock:
            early = sum(map(len, self._early.values()))
            if offset <= self._at < offset + len(data) or early < _MOST_EARLY_BYTES:
                self._early[offset] = data
            self._pass_on()
        return data

    def finish(self) -> None:
        """What the reader never asked for passes too; afterwards all of it has."""
        while self._at < self.size_bytes:
            self.read(self._at, min(_STEP_BYTES, self.size_bytes - self._at))

    def _pass_on(self) -> None:
        """Give what is next, as far as it is here; what was given before is let go."""
        while True:
            early = min(self._early, default=None)
            if early is None or early > self._at:
                return
            data = self._early.pop(early)
            fresh = data[self._at - early :]
            if fresh:
                self._take(fresh)
                self._at += len(fresh)
