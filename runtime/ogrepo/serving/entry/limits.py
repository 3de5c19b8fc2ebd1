# SPDX-License-Identifier: GPL-3.0-or-later
"""How many connections this process can hold, from the descriptors that it really has.

A connection holds one descriptor; files that are sent are opened once for all who read them. What
is not given to connections is for files, threads, refusals and the libraries.
"""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass

from oglib.errors import OgError

_LEAST_DESCRIPTORS = 128
KEPT_FILES = 16  # files that stay open for a moment though nobody reads them
_OWN = 48  # streams, event loop, threads that look at files, what libraries open
_MOST_CONNECTIONS = 4096  # some 20 KiB of memory each
_WITHOUT_END = 1 << 20  # what Linux grants at most unless told otherwise


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of connections.

    connections: in all.
    per_address: of one address, so that it cannot fill the server with requests either.
    waiting_per_address: of one address, those that have not sent a whole request header.
    refusals: those that are only told to come back later.
    """

    connections: int
    per_address: int
    waiting_per_address: int
    refusals: int


def limits_for(descriptors: int) -> Limits:
    """What fits ``descriptors``; ``OgError`` where that is too little to serve a room."""
    if descriptors < _LEAST_DESCRIPTORS:
        raise OgError(
            f"ogrepo may open {descriptors} files only, and needs {_LEAST_DESCRIPTORS} at least.",
            hint="Raise the hard limit of open files (`ulimit -Hn`, LimitNOFILE= in its unit).",
        )
    sixteenth = descriptors // 16
    refusals = min(sixteenth // 2, 64)
    connections = min(descriptors - _OWN - KEPT_FILES - refusals - sixteenth, _MOST_CONNECTIONS)
    return Limits(
        connections=connections,
        per_address=connections - connections // 8,
        waiting_per_address=max(8, connections // 8),
        refusals=refusals,
    )


def raise_descriptors() -> int:
    """Raise the limit of open files as far as this process may; returns what it then is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WITHOUT_END if hard == resource.RLIM_INFINITY else hard
    if soft not in (resource.RLIM_INFINITY, wanted):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _WITHOUT_END if now == resource.RLIM_INFINITY else now
