# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program of this machine hears PCs, and so uses up what is given "this once".

It holds a lock as long as it runs, so what is told here is so now, whatever ended it.
"""

from __future__ import annotations

import fcntl
import os
import time
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


# Who writes the tree again when a time comes: a program that holds this lock, or a timer that
# touches the file each minute.
_KEEPER = "keeper"
_TIMER_S = 180.0
_MARK = b"timer\n"
NOT_KEPT = (
    "Nothing keeps the time now: it begins and ends when `ognetboot serve` or the timer of "
    "`serve --install-units` runs, or at the next `ognetboot render`."
)


@contextmanager
def keeping_time(inventory: Path) -> Iterator[None]:
    """While this runs, the tree of the inventory is written again when a time comes."""
    with hearing(inventory, _KEEPER):
        yield


def kept_for_a_minute(inventory: Path) -> None:
    """A timer wrote the tree now, and will again."""
    path = _path(inventory, _KEEPER)
    with hearing(inventory, _KEEPER):
        try:
            flags = os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(path, flags), "wb") as stream:
                stream.write(_MARK)
        except OSError as error:
            raise keeping.refused(path, "written", error) from None


def time_is_kept(inventory: Path) -> bool:
    """Whether what begins or ends by the clock does so by itself."""
    path = _path(inventory, _KEEPER)
    if _held(path):
        return True
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    # A program that ended leaves an empty file, a timer its mark.
    return status.st_size > 0 and abs(time.time() - status.st_mtime) < _TIMER_S


def _path(inventory: Path, ear: str) -> Path:
    return keeping.beside(inventory, f"{ear}.lock", hidden=True)


@contextmanager
def hearing(inventory: Path, ear: str) -> Iterator[None]:
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
