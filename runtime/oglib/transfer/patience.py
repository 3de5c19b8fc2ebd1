# SPDX-License-Identifier: GPL-3.0-or-later
"""How long to go on trying: back-off with jitter inside a deadline.

Pure but for the clock and the dice, both of which a test may replace. Two limits hold at
once: ``deadline_s`` without any progress, and a total that no trickle of bytes can stretch,
so that every transfer ends.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 8.0
_SLOWEST_RATE = 8192  # bytes/s; slower than this is as good as broken


class Patience:
    """The deadline of one piece of work; not shared between threads.

    ``moved`` is called for every sign of life.
    """

    def __init__(
        self,
        deadline_s: float,
        *,
        work_bytes: int = 0,
        moved: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.deadline_s = deadline_s
        self._told = moved
        self._clock = clock
        self._dice = dice
        self._moved = clock()
        self._end = self._moved + deadline_s + work_bytes / _SLOWEST_RATE
        self._failures = 0

    @property
    def left_s(self) -> float:
        return min(self._moved + self.deadline_s, self._end) - self._clock()

    def progress(self) -> None:
        """Bytes arrived: the quiet time and the back-off begin anew."""
        self._moved = self._clock()
        self._failures = 0
        self._told()

    def next_delay(self, at_least_s: float = 0.0) -> float | None:
        """Seconds to wait before the next attempt; ``None`` when it is time to give up.

        The jitter keeps a room of PCs, cut off together, from coming back together.
        """
        left = self.left_s
        if left <= 0:
            return None
        full = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0**self._failures)
        self._failures += 1
        delay = max(full * (0.5 + self._dice() / 2), min(at_least_s, _LONGEST_DELAY_S))
        return min(delay, left)
