# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is here: places are counted, given, and taken back from those that only idle."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from ogrepo.serving.entry.limits import Limits

IDLE_S = 75.0
_JUST_IDLE_S = 1.0
Networks = Sequence[IPv4Network | IPv6Network]


class Guest(Protocol):
    """What holds a place."""

    address: str

    def leave(self) -> None: ...

    def force_close(self) -> None: ...


class Places:
    """The places within ``limits``. ``trusted``: networks that are held to the total alone."""

    def __init__(self, limits: Limits, trusted: Networks) -> None:
        self._limits = limits
        self._trusted = tuple(trusted)
        self._loop = asyncio.get_running_loop()
        self._here: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._idle: dict[Guest, float] = {}
        self._total = 0

    # What connections say of themselves.

    def entered(self, address: str) -> None:
        self._total += 1
        self._here[address] += 1

    def left(self, address: str) -> None:
        self._total -= 1
        _take_one(self._here, address)

    def has(self, address: str) -> bool:
        """Whether a connection of this address is here."""
        return address in self._here

    def waits(self, address: str, change: int) -> None:
        if change > 0:
            self._waiting[address] += change
        else:
            _take_one(self._waiting, address)

    def idles(self, guest: Guest) -> None:
        self._idle[guest] = self._loop.time()

    def busy(self, guest: Guest) -> None:
        self._idle.pop(guest, None)

    # What the door asks.

    def why_not(self, address: str) -> str:
        """Why there is no place for one more of ``address``; empty: there is."""
        limits = self._limits
        if self._waiting[address] >= limits.waiting_per_address and not self._trusts(address):
            return f"{self._waiting[address]} others of it have sent no whole request"
        if self._here[address] >= limits.per_address and not self._trusts(address):
            if not self._make_room(address):
                return f"it has {self._here[address]} connections already"
        elif self._total >= limits.connections and not self._make_room():
            return f"there are {self._total} connections already"
        return ""

    def _trusts(self, address: str) -> bool:
        return among(address, self._trusted)

    def _make_room(self, address: str | None = None) -> bool:
        """Close the connection (of this address) that has idled longest, unless it just began."""
        for guest, since in self._idle.items():
            if self._loop.time() - since < _JUST_IDLE_S:
                return False
            if address is None or guest.address == address:
                guest.leave()
                guest.force_close()
                return True
        return False

    def close_idle(self) -> None:
        """Close those that have asked nothing for too long."""
        before = self._loop.time() - IDLE_S
        for guest in [one for one, since in self._idle.items() if since <= before]:
            guest.leave()
            guest.force_close()


@lru_cache(maxsize=1024)
def among(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether the address is in one of these; what is no address is in none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _take_one(counts: Counter[str], address: str) -> None:
    counts[address] -= 1
    if not counts[address]:
        del counts[address]
