# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of the kernel on open files (``flock``), waited for with an end, and who holds one."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from oglib.errors import OgErr, OgError
from oglib.wording.waits import waiting

PATIENCE_S = 60.0
_STEP_S = 0.05
_LOCKS = Path("/proc/locks")
_PROC = Path("/proc")


def taken(handle: int, kind: int) -> bool:
    """Lock at once, or not at all; ``kind`` is ``LOCK_SH`` or ``LOCK_EX``."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(handle: int, kind: int, what: str, *, patience_s: float | None = None) -> None:
    """Lock, and wait for it; ``what``: the thing that the lock is on, for a sentence.

    Raises LOCKED, naming who has it, after ``patience_s`` (0: at once), else a minute.
    """
    if taken(handle, kind):
        return
    patience_s = PATIENCE_S if patience_s is None else patience_s
    if not patience_s:
        raise _held(handle, what, "")
    end = time.monotonic() + patience_s
    with waiting(f"{holders(handle)} to let go of {what}"):
        while not taken(handle, kind):
            if time.monotonic() > end:
                raise _held(handle, what, f", since more than {patience_s:.0f} seconds")
            time.sleep(_STEP_S)


def _held(handle: int, what: str, since: str) -> OgError:
    who = holders(handle)
    return OgError(
        f"{who[0].upper()}{who[1:]} holds {what}{since}.",
        hint="Wait for its end, then run this again.",
        code=OgErr.LOCKED,
    )


def holders(handle: int) -> str:
    """The processes that hold a lock of this file, by the kernel's list: ``process 812 (og)``."""
    where = f":{os.fstat(handle).st_ino}"
    found: set[int] = set()
    with suppress(OSError):
        for line in _LOCKS.read_text().splitlines():
            words = line.split()
            # "3: FLOCK ADVISORY READ 812 00:1a:77 0 EOF"; "3: -> FLOCK …" only waits
            if len(words) >= 6 and words[1] == "FLOCK" and words[5].endswith(where):
                found.add(int(words[4]))
    named = sorted(_named(pid) for pid in found if pid > 0 and pid != os.getpid())
    return " and ".join(filter(None, named)) or "another process"


def _named(pid: int) -> str:
    """Empty where it is gone."""
    try:
        return f"process {pid} ({(_PROC / str(pid) / 'comm').read_text().strip()})"
    except OSError:
        return ""
