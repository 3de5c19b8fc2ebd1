# SPDX-License-Identifier: GPL-3.0-or-later
"""Time: every deadline of the harness, scaled by the accelerator, and the one polling loop.

Scenarios never sleep and never name seconds. Waiting is by event (console, QMP, process end);
where the outside offers no event (a port that opens, a text screen) ``poll`` below is used.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.errors import WaitTimeoutError

T = TypeVar("T")
_POLL_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each kind of wait may take, in seconds, under emulation on a busy host.

    They bound a hang; none is a measure of what is fast enough.
    """

    server_up: float = 20
    qmp: float = 60
    firmware: float = 120
    ready: float = 300
    command: float = 120
    long_command: float = 900
    report: float = 420
    shutdown: float = 120
    resume: float = 60
    stalled_restore: float = 600
    migrate: float = 180

    def scaled(self, factor: float) -> Timeouts:
        """The same waits for a faster (factor < 1) or slower machine."""
        return Timeouts(*(getattr(self, name) * factor for name in self.__slots__))


class Deadline:
    """A point in time, made once and handed down, so that nested waits share it."""

    def __init__(self, seconds: float, what: str) -> None:
        self.what = what
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left == 0.0

    def fail(self, detail: str = "") -> WaitTimeoutError:
        """The error to raise when this deadline has passed."""
        return WaitTimeoutError(
            f"{self.what}: did not happen within {self.seconds:.0f} s{detail and ': ' + detail}"
        )


def poll(look: Callable[[], T | None], deadline: Deadline) -> T:
    """Call ``look`` until it returns something that is not None; the only loop that pauses."""
    pause = threading.Event()
    while True:
        found = look()
        if found is not None:
            return found
        if deadline.passed:
            raise deadline.fail()
        pause.wait(_POLL_EVERY_S)
