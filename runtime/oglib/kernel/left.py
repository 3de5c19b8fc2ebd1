# SPDX-License-Identifier: GPL-3.0-or-later
"""What a foreign program leaves running when it ends: found by the kernel's word, and ended.

A group or a session of its own is no hold on it, for ``setsid`` leaves both. Whoever has lost its
parent becomes a child of the next one above that asks for such children: here that is us.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_SET_CHILD_SUBREAPER = 36  # prctl(2)
_PROC = Path("/proc")
_GONE_S = 5.0  # what waits for a dead disk does not even die
_LOOK_S = 0.005


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    name: str
    is_dead: bool


@contextmanager
def nothing_left() -> Iterator[list[str]]:
    """A block of programs that end with it, and all they started; for one thread alone.

    Yields a list that holds the names of those that had to be killed, once the block has ended.
    """
    killed: list[str] = []
    before = {one.pid for one in _children()}
    _take_orphans(wanted=True)
    try:
        yield killed
    finally:
        killed += _ended(before)
        _take_orphans(wanted=False)


def _ended(before: set[int]) -> list[str]:
    """Kill every child that was not there before, and those that become ours by that."""
    names: dict[int, str] = {}
    until = time.monotonic() + _GONE_S
    while new := [one for one in _children() if one.pid not in before]:
        for one in new:
            if not one.is_dead:
                names.setdefault(one.pid, one.name)
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(one.pid, os.WNOHANG)
        if time.monotonic() > until:
            break
        time.sleep(_LOOK_S)
    return list(names.values())


def _children() -> list[_Child]:
    """Our children as they are now, those among them that are dead and not yet taken leave of."""
    mine = str(os.getpid())
    found = []
    for status in _PROC.glob("[0-9]*/stat"):
        try:
            text = status.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended
            continue
        # PID (NAME) STATE PARENT …; the name may hold anything
        before, _, behind = text.rpartition(")")
        state, parent, *_ = behind.split()
        if parent == mine:
            name = before.partition("(")[2]
            found.append(_Child(int(status.parent.name), name, state in "ZX"))
    return sorted(found, key=lambda one: one.pid)


def _take_orphans(*, wanted: bool) -> None:
    if _LIBC.prctl(_SET_CHILD_SUBREAPER, ctypes.c_ulong(wanted), *[ctypes.c_ulong(0)] * 3):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
