# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program of this machine hears PCs, and so uses up what is given "this once".

It holds a lock as long as it runs, so what is told here is so now, whatever ended it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from ognetboot import keeping

# Who asks whether it is held holds it for a moment; nobody else does.
_WAIT_S = 2.0


class Ear(StrEnum):
    """How it is known that a PC got to what it was given."""

    REPORT = "report"
    FETCH = "fetch"
    NONE = "none"
    UNKNOWN = "unknown"

    @property
    def rule(self) -> str:
        """As a sentence."""
        return {
            Ear.REPORT: "A PC uses it up when it reports that it got there.",
            Ear.FETCH: "A PC uses it up when its file was fetched, a minute later: no server hears "
            "reports.",
            Ear.NONE: "No server is running, so PCs cannot report: what is given once stays "
            "pending until `ognetboot serve` or `ognetboot follow` runs.",
            Ear.UNKNOWN: "Whether a program hears PCs is told to root and to the inventory's owner "
            "alone.",
        }[self]


def _path(inventory: Path, ear: Ear) -> Path:
    return inventory.with_name(f".{inventory.stem}.{ear}.lock")


@contextmanager
def hearing(inventory: Path, ear: Ear) -> Iterator[None]:
    """While this runs, PCs of the inventory are heard so; who comes second hears them as well."""
    with keeping.locked(_path(inventory, ear), _WAIT_S, shared=True):
        yield


def heard_by(inventory: Path) -> Ear:
    """How PCs of the inventory are heard now."""
    try:
        return next((e for e in (Ear.REPORT, Ear.FETCH) if _held(_path(inventory, e))), Ear.NONE)
    except PermissionError:
        return Ear.UNKNOWN


def _held(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except PermissionError:
        raise
    except OSError as error:
        raise keeping.refused(path, "read", error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
