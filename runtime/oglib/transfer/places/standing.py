# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of each place by now: whether it is asked, rests or lied, and what it gave.

A place that failed rests for a while, each time a longer one, and is asked again before then only
where no other is left. One that gave wrong bytes is asked no more.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from oglib.errors import OgError
from oglib.transfer.patience import Clock
from oglib.transfer.places.readers import Reader

_FIRST_REST_S = 60.0
_LONGEST_REST_S = 960.0
_LEAST_TURN_S = 1.0
_REMEMBERED = 4096  # ranges; of those that are being judged there are never more than a few
_MOST_LINES = 50

Tell = Callable[[str], None]


@dataclass(slots=True, eq=False)
class Standing:
    """One place, in its order."""

    name: str
    reader: Reader
    given_bytes: int = 0
    failures: int = 0
    rests_until: float = 0.0
    lied: bool = False
    error: OgError | None = None
    cause: str = ""
    blamed: Callable[[], None] = lambda: None

    def left(self, cause: str) -> str:
        return f"{self.name} is asked no more for now: {cause}"


@dataclass(frozen=True, slots=True)
class _Served:
    start: int
    stop: int
    by: Standing


class Standings:
    """Of all places of some bytes; for any number of threads. What happened is told once."""

    def __init__(
        self,
        places: Sequence[Standing],
        *,
        clock: Clock = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.places = tuple(places)
        self._clock = clock
        self._dice = dice
        self._lock = threading.Lock()
        self._served: deque[_Served] = deque(maxlen=_REMEMBERED)
        self._lines: list[str] = []
        self._tell: Tell | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """What was told so far."""
        with self._lock:
            return tuple(self._lines)

    def listen(self, tell: Tell) -> None:
        """Who is told from now on, and at once of what happened before."""
        with self._lock:
            before, self._tell = tuple(self._lines), tell
        for line in before:
            tell(line)

    def next(self, tried: Iterable[Standing]) -> tuple[Standing, bool, int] | None:
        """Whom to ask now, whether it is the last one, and how often it had failed.

        None where every one was ``tried``, or lied.
        """
        passed = set(map(id, tried))
        with self._lock:
            now = self._clock()
            left = [one for one in self.places if not one.lied and id(one) not in passed]
            awake = [one for one in left if one.rests_until <= now]
            # those that rest are asked last, the one that ends its rest first before the others
            resting = sorted((one for one in left if one not in awake), key=_by_rest)
            order = [*awake, *resting]
            return (order[0], len(awake) <= 1, order[0].failures) if order else None

    def served(self, by: Standing, start: int, stop: int) -> None:
        """``by`` gave these bytes."""
        if start == stop:
            return
        with self._lock:
            by.given_bytes += stop - start
            self._served.append(_Served(start, stop, by))

    def failed(self, place: Standing, error: OgError, failures: int) -> None:
        """It did not give what was asked of it, which began when it had failed ``failures`` times.

        Several threads meet the same failure, which is one.
        """
        with self._lock:
            if place.failures != failures or place.lied:
                return
            rest = min(_FIRST_REST_S * 2.0**place.failures, _LONGEST_REST_S)
            place.failures += 1
            place.rests_until = self._clock() + rest * (0.5 + self._dice() / 2)
            place.error, place.cause = error, error.message
        if len(self.places) > 1:
            self._say(place.left(error.message))

    def full(self, place: Standing, error: OgError, failures: int, again_s: float) -> None:
        """It has a queue, and others are asked until it is worth asking again; told once."""
        with self._lock:
            if place.failures != failures or place.lied:
                return
            first, place.cause = not place.cause, error.message
            place.error = error
            place.rests_until = self._clock() + max(again_s, _LEAST_TURN_S)
        if first and len(self.places) > 1:
            self._say(f"{place.name} has a queue, and others are asked meanwhile: {error.message}")

    def wrong(self, start: int, stop: int) -> bool:
        """What was given there is not what it has to be; whether to ask for it once more.

        Who alone gave it is asked no more. Where a place died in the middle of a range and another
        went on, nobody is blamed: the next answer is of one of them.
        """
        with self._lock:
            givers = self._givers(start, stop)
            liar = givers[0] if len(givers) == 1 else None
            fresh = liar is not None and not liar.lied
            others = any(not one.lied and one is not liar for one in self.places)
            if liar is not None and len(self.places) > 1:
                liar.lied = True
                liar.cause = f"it gave wrong bytes at {start} to {stop}, which were not used."
        if liar is not None and fresh:
            liar.blamed()
        if liar is not None and fresh and len(self.places) > 1:
            self._say(liar.left(liar.cause))
        return bool(givers) and others

    def _givers(self, start: int, stop: int) -> list[Standing]:
        """Those who gave the latest bytes of that range; each byte counts for its last giver."""
        found: list[Standing] = []
        gaps = [(start, stop)]
        for one in reversed(self._served):
            left: list[tuple[int, int]] = []
            for low, high in gaps:
                first, last = max(low, one.start), min(high, one.stop)
                if first >= last:
                    left.append((low, high))
                    continue
                if one.by not in found:
                    found.append(one.by)
                left += [part for part in ((low, first), (last, high)) if part[0] < part[1]]
            gaps = left
            if not gaps:
                break
        return found

    def _say(self, line: str) -> None:
        with self._lock:
            if len(self._lines) >= _MOST_LINES:
                return
            self._lines.append(line)
            tell = self._tell
        if tell is not None:
            tell(line)


def _by_rest(place: Standing) -> float:
    return place.rests_until
