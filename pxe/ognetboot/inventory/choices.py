# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be said for one PC, for many at once, or for all: the same words in every scope.

A narrower scope's word comes before a wider one's: PC over group over room over centre over server.
Disk rules are joined rule by rule. None, and no rule: this scope says nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address
from operator import attrgetter


class Tongue(StrEnum):
    """The language that a person reads."""

    EN = "en"
    ES = "es"
    CA = "ca"


class Method(StrEnum):
    """How an image reaches a PC: by which transfer, and whether it stays in the PC's cache."""

    UNICAST_DIRECT = "UNICAST-DIRECT"
    UNICAST_CACHE = "UNICAST-CACHE"
    MULTICAST_DIRECT = "MULTICAST-DIRECT"
    MULTICAST_CACHE = "MULTICAST-CACHE"
    TORRENT_DIRECT = "TORRENT-DIRECT"
    TORRENT_CACHE = "TORRENT-CACHE"


class Duplex(StrEnum):
    """How a multicast session speaks."""

    FULL = "full-duplex"
    HALF = "half-duplex"
    BROADCAST = "broadcast"


class Sharing(StrEnum):
    """What a PC does for the others after it has an image by torrent."""

    SEEDER = "seeder"
    PEER = "peer"
    LEECHER = "leecher"


@dataclass(frozen=True, slots=True)
class Multicast:
    """A session as OpenGnsys writes it; `speed_mbit` in Mbit/s, `timeout_s` in seconds."""

    port: int
    duplex: Duplex
    address: IPv4Address
    speed_mbit: int
    clients: int
    timeout_s: int

    def __str__(self) -> str:
        """`PORT:MODE:ADDRESS:SPEED:CLIENTS:TIMEOUT`."""
        return (
            f"{self.port}:{self.duplex}:{self.address}:{self.speed_mbit}M"
            f":{self.clients}:{self.timeout_s}"
        )


@dataclass(frozen=True, slots=True)
class P2p:
    """How long a PC shares an image that it got by torrent, and as what."""

    sharing: Sharing
    seconds: int

    def __str__(self) -> str:
        """`MODE:SECONDS`."""
        return f"{self.sharing}:{self.seconds}"


Disks = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """All that a scope may say.

    `entry`: what a PC starts by itself. `timeout_s`: how long its menu waits, 0: not at all.
    `disks`: which disk a rule such as `system` means. `oglive`: the version that entries without
    one of their own start, `oglive_before` the one to go back to. `state`: a declared state.
    `protected_until`: no job writes to these disks before. `picture`: a file of the site's behind
    the menu. `proxy` and `repository`: HOST or HOST:PORT. `ntp`: addresses, commas between them.
    `mirrors`: who is asked for an image's bytes before the repository, commas between them.
    """

    entry: str | None = None
    timeout_s: int | None = None
    language: Tongue | None = None
    keyboard: str | None = None
    method: Method | None = None
    multicast: Multicast | None = None
    p2p: P2p | None = None
    disks: Disks = ()
    oglive: str | None = None
    oglive_before: str | None = None
    state: str | None = None
    protected_until: datetime | None = None
    picture: str | None = None
    repository: str | None = None
    mirrors: str | None = None
    proxy: str | None = None
    ntp: str | None = None

    def said(self) -> dict[str, object]:
        """What is said, by its name."""
        named = zip(_NAMES, _values_of(self), strict=True)
        return {name: value for name, value in named if value is not None and value != ()}


_NAMES = tuple(each.name for each in fields(Choices))
_values_of = attrgetter(*_NAMES)
NOTHING_SAID = Choices()


def joined(scopes: Iterable[Choices]) -> Choices:
    """One for all of them, from wide to narrow: the last word counts."""
    words: dict[str, object] = {}
    disks: dict[str, str] = {}
    for scope in scopes:
        if scope is NOTHING_SAID:
            continue
        words |= scope.said()
        disks |= dict(scope.disks)
    return Choices(**(words | {"disks": tuple(disks.items())}))  # type: ignore[arg-type]
