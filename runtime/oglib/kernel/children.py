# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that was started: heard until it has ended, or ended and forgotten by the kernel."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

_PIECE_BYTES = 65536
_MOST_BYTES = 64 << 20  # of what a program says; what comes after that is read and left out
_KILLED_S = 5.0  # what waits for a dead disk does not even die
_LOOK_S = 0.005


@dataclass(frozen=True, slots=True)
class Started:
    """A running program. ``pid_fd`` is readable when it has ended."""

    pid: int
    pid_fd: int
    has_own_group: bool


def kill(pid: int, *, own_group: bool) -> None:
    """Kill a program of ours, with those it started, and wait until it holds nothing any more."""
    with suppress(ProcessLookupError):
        (os.killpg if own_group else os.kill)(pid, signal.SIGKILL)
    until = time.monotonic() + _KILLED_S
    with suppress(ChildProcessError):  # that was interrupted when it had seen it
        while not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() < until:
            time.sleep(_LOOK_S)


def heard(
    started: Started, ends: Sequence[int], timeout_s: float | None
) -> tuple[bytes, ...] | None:
    """All it says until it has ended; None where it was ended because the time had passed.

    Whoever it leaves behind may hold its output open: what comes later is not waited for.
    """
    until = None if timeout_s is None else time.monotonic() + timeout_s
    said = {end: bytearray() for end in ends}
    poller = select.poll()
    for one in (*ends, started.pid_fd):
        poller.register(one, select.POLLIN)
    ready: set[int] = set()
    while started.pid_fd not in ready:
        left_ms = None if until is None else max(0.0, until - time.monotonic()) * 1000
        ready = {one for one, _ in poller.poll(left_ms)}
        # one that keeps talking is ready each time
        late = until is not None and time.monotonic() >= until
        if not ready or (late and started.pid_fd not in ready):
            kill(started.pid, own_group=started.has_own_group)
            return None
        for end in ready & said.keys():
            if not _take(end, said[end]):
                poller.unregister(end)
    for end in {one for one, _ in poller.poll(0)} & said.keys():
        _take(end, said[end])
    return tuple(map(bytes, said.values()))


def _take(end: int, said: bytearray) -> bool:
    """What stands in a pipe, which holds no more than a piece; False at its end."""
    piece = os.read(end, _PIECE_BYTES)
    if len(said) < _MOST_BYTES:
        said += piece
    return bool(piece)
