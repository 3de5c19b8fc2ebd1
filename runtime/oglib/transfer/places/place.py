# SPDX-License-Identifier: GPL-3.0-or-later
"""Where bytes of a known digest may be: values, in the order in which they are asked.

Pure. A place is trusted for nothing: whoever holds the digests judges what it gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from oglib.transfer.address import parse_address

_BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Web:
    """A web server that has them at ``BASE/bytes/DIGEST``.

    ``own``: their address under a name, asked where the server has no such folder; with an empty
    ``base`` it is the only one.
    """

    base: str = ""
    own: str = ""

    @property
    def name(self) -> str:
        """For messages: the server, or the address that is the only one."""
        return self.base or self.own


@dataclass(frozen=True, slots=True)
class File:
    """A file that holds them. ``far``: on a share, which may go away, so each read has an end."""

    path: Path
    far: bool = False

    @property
    def name(self) -> str:
        return str(self.path)


class Lender(Protocol):
    """Who reads a file of its own for others, from any thread."""

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or an ``OgError``."""
        ...

    def blamed(self) -> None:
        """What was read is not what it has to be."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Lent:
    """A file that is read by whoever holds it, who is told where it is wrong."""

    name: str
    path: Path
    lender: Lender = field(compare=False)


Place = Web | File | Lent


@dataclass(frozen=True, slots=True)
class Wanted:
    """Bytes that never change: their BLAKE3 in hex, how many, and what a person calls them."""

    digest: str
    size_bytes: int
    called: str


def mirrored(mirrors: Iterable[str], digest: str) -> tuple[Place, ...]:
    """The places of ``Settings.mirrors``: base addresses, and folders of this PC."""
    return tuple(
        Web(one.rstrip("/")) if "://" in one else File(Path(one) / _BYTES / digest, far=True)
        for one in mirrors
    )


def address_in(place: Web, digest: str) -> str:
    """Where ``place`` has the bytes of this digest; empty where it has them under a name alone."""
    return str(parse_address(place.base).below(_BYTES, digest)) if place.base else ""
