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


class Ear(StrEnum):
    """How it is known that a PC got to what it was given."""

    REPORT = "report"
    FETCH = "fetch"
    NONE = "none"

    @property
    def rule(self) -> str:
        """As a sentence."""
        return {
            Ear.REPORT: "A PC uses it up when it reports that it got there.",
            Ear.FETCH: "A PC uses it up when its file was fetched, a minute later: no server hears "
            "reports.",
            Ear.NONE: "Nothing hears PCs now: it is used up by none until `ognetboot serve` or "
            "`ognetboot follow` runs.",
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
    path = _path(inventory, ear)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise keeping.refused(path, "written", error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def heard_by(inventory: Path) -> Ear:
    """How PCs of the inventory are heard now."""
    return next((ear for ear in (Ear.REPORT, Ear.FETCH) if _held(_path(inventory, ear))), Ear.NONE)


def _held(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise keeping.refused(path, "read", error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
