# SPDX-License-Identifier: GPL-3.0-or-later
"""How long anything over the network may take: the one owner of its deadlines.

Pure but for the clock and the dice, both of which a test may replace. A ``Pace`` is the time that
one exchange has left; a ``Patience`` is the time that all its attempts have together. Both are
spent by waiting and earned by bytes of use alone, at the slowest rate that is worth waiting for,
and never hold more than they began with: no dripping stretches them, and a slow link that works
is never cut.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from oglib.connection import SLOWEST_RATE

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 8.0
# Who does not ask for its turn for a while loses its place in the queue.
_FIRST_TURN_S = 1.0
_LONGEST_TURN_S = 20.0

Clock = Callable[[], float]


class Pace:
    """The time that is left; not shared between threads."""

    def __init__(
        self, span_s: float, *, rate: int = SLOWEST_RATE, clock: Clock = time.monotonic
    ) -> None:
        self._clock = clock
        self._rate = rate
        self.begin(span_s)

    def begin(self, span_s: float) -> None:
        """From now on there are ``span_s``."""
        self.span_s = span_s
        self._end = self._clock() + span_s

    @property
    def left_s(self) -> float:
        return self._end - self._clock()

    def moved(self, count: int) -> None:
        """``count`` bytes of use have moved."""
        earned = min(self._end + count / self._rate, self._clock() + self.span_s)
        self._end = max(self._end, earned)


class Patience:
    """The deadline of one piece of work over all its attempts; not shared between threads.

    ``moved`` is called whenever it got on.
    """

    def __init__(
        self,
        deadline_s: float,
        *,
        moved: Callable[[], None] = lambda: None,
        rate: int = SLOWEST_RATE,
        clock: Clock = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.deadline_s = deadline_s
        self._on_moved = moved
        self._dice = dice
        self._pace = Pace(deadline_s, rate=rate, clock=clock)
        self._failures = 0
        self._furthest = 0

    @property
    def left_s(self) -> float:
        return self._pace.left_s

    def reached(self, position: int) -> None:
        """Request and answer went on to this byte; what an earlier attempt moved counts once."""
        if position > self._furthest:
            self._pace.moved(position - self._furthest)
            self._furthest = position
            self._failures = 0
            self._on_moved()

    def renew(self) -> None:
        """The server said when to come again: until then nothing is lost."""
        self._pace.begin(self.deadline_s)
        self._failures = 0

    def turn_delay(self, at_least_s: float) -> float:
        """Seconds until a turn is asked for again, not much more than the server said."""
        least = min(max(at_least_s, _FIRST_TURN_S), _LONGEST_TURN_S)
        return least * (1 + self._dice() / 4)

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
