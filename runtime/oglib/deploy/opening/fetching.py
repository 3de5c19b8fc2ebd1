# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files beside an image that is at an address: fetched whole, each within its bound."""

from __future__ import annotations

from pathlib import Path

from oglib import limits
from oglib.connection import Connection
from oglib.deploy.opening.places import Sought
from oglib.transfer.http import fetch, unless_absent
from oglib.transfer.places.whole import bring

# of a file that nothing announced; most images that are not ours have none
_SAID = 2


def fetch_frames(sought: Sought, path: Path, where: str, connection: Connection) -> tuple[str, ...]:
    """The frame table, proven by its digest; what is to be told of the places comes back."""
    return bring(sought.wanted, sought.places, path, where=where, connection=connection)


def signature_of(url: str, connection: Connection) -> bytes | None:
    """The detached signature of something that is there; None where there is none for certain."""
    return unless_absent(
        lambda: fetch(url, limit_bytes=limits.SIGNATURE_BYTES, connection=connection)
    )


def fetch_if_there(url: str, limit_bytes: int, connection: Connection) -> bytes | None:
    """A small file; None where the server says twice that there is none."""
    return unless_absent(
        lambda: fetch(url, limit_bytes=limit_bytes, connection=connection), times=_SAID
    )
