# SPDX-License-Identifier: GPL-3.0-or-later
"""How often one PC, and all of them, may ask. Nothing here waits: who asks too often is told so."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

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
