# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is to read images: so many PCs at once, the others in the order in which they came.

Forty PCs that share one disk and one cable all take forty times as long; a few at a time, each is
done in its turn. A PC is an address. It keeps its turn while something is being sent to it and some
seconds more, but for a moment only once it has closed its connections; one that waits must ask
again within a while, or those behind it move up.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from ogrepo.refusal import Refusal
from ogrepo.serving.entry.places import Networks, among

READING_S = 15.0
GONE_S = 2.0
WAITING_S = 30.0
AGAIN_S = 3
SOON_S = 1  # for those whose turn may be the next
_IMAGE = re.compile(r"images/.*\.img(\.ant)?|bytes/.*")
_MOST_WAITING = 1024  # who comes later is told so all the same, and finds his place when he can


def is_image(asked: str) -> bool:
    """Whether this path is that of an image's bytes, not of what describes it."""
    return _IMAGE.fullmatch(asked) is not None


class Queued(Refusal):
    """It is not this PC's turn yet; ``before`` others that wait are before it."""

    def __init__(self, before: int, at_once: int) -> None:
        super().__init__(
            503,
            f"It is not this PC's turn: the repository lets {at_once} at a time read images, "
            f"and before it wait {before}.",
            hint="Ask again: each PC gets its turn in the order in which they came.",
        )
        self.before = before
        self._again_s = SOON_S if before < at_once else AGAIN_S

    @property
    def retry_after_s(self) -> int:
        return self._again_s

    def as_dict(self) -> dict[str, object]:
        return {**super().as_dict(), "queue": {"before": self.before}}


@dataclass(slots=True)
class _Reader:
    """``under_way``: answers that are being sent; ``last``: when it was heard of."""

    last: float
    under_way: int = 0


class Turns:
    """``at_once`` 0: everybody reads at once. ``trusted``: proxies, which read for many."""

    def __init__(
        self, at_once: int, trusted: Networks = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once = at_once
        self._trusted = tuple(trusted)
        self._clock = clock
        self._reading: dict[str, _Reader] = {}
        self._waiting: dict[str, float] = {}

    @property
    def reading(self) -> int:
        """How many PCs have their turn."""
        self._expire(self._clock())
        return len(self._reading)

    @property
    def waiting(self) -> int:
        """How many wait for theirs."""
        self._expire(self._clock())
        return len(self._waiting)

    def enter(self, address: str) -> Queued | None:
        """What a PC is told that must wait; None: it is its turn, and ``end`` must follow."""
        if not self._at_once:
            return None
        now = self._clock()
        reader = self._reading.get(address)
        if reader is not None:
            reader.last = now
            reader.under_way += 1
            return None
        if among(address, self._trusted):
            return None
        self._expire(now)
        before = self._place_of(address, now)
        if before >= self._at_once - len(self._reading):
            return Queued(before, self._at_once)
        self._waiting.pop(address, None)
        self._reading[address] = _Reader(now, 1)
        return None

    def end(self, address: str) -> None:
        """What it entered for was sent, or broke off."""
        reader = self._reading.get(address)
        if reader is not None and reader.under_way:
            reader.under_way -= 1
            reader.last = self._clock()

    def gone(self, address: str) -> None:
        """It has no connection any more: if it does not come back at once, it is done."""
        reader = self._reading.get(address)
        if reader is not None:
            reader.last = min(reader.last, self._clock() - READING_S + GONE_S)

    def _place_of(self, address: str, now: float) -> int:
        if address in self._waiting or len(self._waiting) < _MOST_WAITING:
            self._waiting[address] = now  # whoever was there already keeps the place
        return next(
            (place for place, one in enumerate(self._waiting) if one == address),
            len(self._waiting),
        )

    def _expire(self, now: float) -> None:
        for address, reader in list(self._reading.items()):
            if not reader.under_way and now - reader.last > READING_S:
                del self._reading[address]
        for address, asked in list(self._waiting.items()):
            if now - asked > WAITING_S:
                del self._waiting[address]
