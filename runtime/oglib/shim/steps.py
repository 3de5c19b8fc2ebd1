# SPDX-License-Identifier: GPL-3.0-or-later
"""How OpenGnsys' scripts tell their way: ``[N] text``, N per cent, on the screen and in the logs.

The browser draws its bar from these lines. A script that was called by another one goes on in its
logs; any other begins them anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from oglib.errors import OgError
from oglib.shim.logs import opened, tell
from oglib.shim.process import is_called_by

_going_on: list[str] = []  # the commands of this process whose logs others go on in


@contextmanager
def going_on(name: str) -> Iterator[None]:
    """Whoever begins its logs in the block goes on in those of ``name``."""
    _going_on.append(name)
    try:
        yield
    finally:
        _going_on.pop()


def begin_logs(*callers: str) -> None:
    """The logs of a session and of a command are empty, unless one of ``callers`` began them."""
    if _going_on:
        return
    logs = ["command"] if any(is_called_by(one) for one in callers) else ["command", "session"]
    with opened(logs, empty_first=logs):
        pass


def say(per_cent: int | None, text: str) -> None:
    """One step; None: what belongs to the step before."""
    head = "      " if per_cent is None else f"[{per_cent}] "
    tell(["log", "session"], "", f"{head}{text}")


def say_begun(name: str, words: Sequence[str]) -> None:
    say(1, f"{said('MSG_SCRIPTS_START', 'script begins:').strip()} {name} {' '.join(words)}")


def say_time(per_cent: int | None, since: float, *, of_all: bool = True) -> None:
    """How long it took since ``time.monotonic()`` was that."""
    minutes, seconds = divmod(int(time.monotonic() - since), 60)
    what = (
        said("MSG_SCRIPTS_TIME_TOTAL", "Time of all")
        if of_all
        else said("MSG_SCRIPTS_TIME_PARTIAL", "Time of this step")
    )
    say(per_cent, f"{what}: {minutes}m {seconds}s")


def said(variable: str, english: str) -> str:
    """A sentence of the site's language file, which scripts get as a variable."""
    return os.environ.get(variable) or english


def told(error: OgError) -> OgError:
    """The same error, after it was added to the logs."""
    say(100, str(error))
    return error
