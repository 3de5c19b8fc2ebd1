# SPDX-License-Identifier: GPL-3.0-or-later
"""How much one PC, and all of them, may ask of this server. Nothing here waits: who asks too much
is told so at once."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

# So many keys are remembered; the one that asked longest ago is forgotten first.
_MOST_KEYS = 4096


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, and `per_s` from then on."""

    burst: float
    per_s: float


class Rates:
    """A bucket of tokens for each key, and one for all of them together."""

    def __init__(
        self, each: Rate, total: Rate, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._each = each
        self._total = total
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._all = (total.burst, clock())

    def allow(self, key: Hashable) -> bool:
        """Whether `key` may ask now; only then it counts."""
        now = self._clock()
        everybody = _filled(self._all, self._total, now)
        own = _filled(self._left.pop(key, (self._each.burst, now)), self._each, now)
        good = own >= 1 and everybody >= 1
        self._left[key] = (own - good, now)
        self._all = (everybody - good, now)
        if len(self._left) > _MOST_KEYS:
            self._left.popitem(last=False)
        return good


def _filled(bucket: tuple[float, float], rate: Rate, now: float) -> float:
    left, then = bucket
    return min(rate.burst, left + (now - then) * rate.per_s)


@dataclass(slots=True)
class Places:
    """Connections: so many in all, so many of one address."""

    total: int
    per_address: int
    _by_address: Counter[str] = field(default_factory=Counter)
    _all: int = 0

    def enter(self, address: str) -> bool:
        """Take a place, where there is one."""
        if self._all >= self.total or self._by_address[address] >= self.per_address:
            return False
        self._all += 1
        self._by_address[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Give a place back that was taken."""
        self._all -= 1
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]
