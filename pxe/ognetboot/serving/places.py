# SPDX-License-Identifier: GPL-3.0-or-later
"""How many connections one address, and all of them, may hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

# What is told costs a descriptor until it was read; beyond that, one finds the door closed.
_MOST_TOLD = 64


@dataclass(slots=True)
class Places:
    """Connections: so many in all, so many of one address."""

    total: int
    per_address: int
    _by_address: Counter[str] = field(default_factory=Counter)
    _all: int = 0
    _turned_away: int = 0

    def enter(self, address: str) -> bool:
        """Take a place, where there is one."""
        if self._all >= self.total or self._by_address[address] >= self.per_address:
            return False
        self._all += 1
        self._by_address[address] += 1
        return True

    def turn_away(self) -> bool:
        """Take one of the places in which those that found none are told to come back."""
        if self._turned_away >= _MOST_TOLD:
            return False
        self._turned_away += 1
        return True

    def told(self) -> None:
        """Give that one back."""
        self._turned_away -= 1

    def leave(self, address: str) -> None:
        """Give a place back that was taken."""
        self._all -= 1
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]
