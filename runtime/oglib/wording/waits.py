# SPDX-License-Identifier: GPL-3.0-or-later
"""What this program waits for, told to a person when it takes longer than two seconds.

Whoever is about to wait for somebody else (a server, a program, a lock) says so around it::

    with waiting("10.0.0.2:8080 to answer") as wait:
        ...
        wait.moved()  # something came: the two seconds begin anew

Nobody is told unless the program asked for it by ``report_to``. One thread watches all waits, so a
wait costs nothing worth counting, and there may be thousands in a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AFTER_S = 2.0
_AGAIN_S = 15.0

# Gets what is waited for, and for how many seconds already.
Tell = Callable[[str, float], None]


class Wait:
    """One wait; ``moved`` from any thread."""

    __slots__ = ("_since", "_tell_at", "what")

    def __init__(self, what: str, now: float) -> None:
        self.what = what
        self._since = now
        self._tell_at = now + AFTER_S

    def moved(self) -> None:
        """What is waited for gave a sign of life."""
        now = time.monotonic()
        self._since, self._tell_at = now, now + AFTER_S

    def due(self, now: float) -> float | None:
        """Seconds waited, when it is time to say so; the next time is a while later."""
        if now < self._tell_at:
            return None
        self._tell_at = now + _AGAIN_S
        return now - self._since


class Watch:
    """All waits of this process, and who is told of them."""

    def __init__(self) -> None:
        self._waits: set[Wait] = set()
        self._tell: Tell | None = None
        self._lock = threading.Lock()
        self._some = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None

    def report_to(self, tell: Tell | None) -> None:
        """Who is told from now on; None: nobody."""
        with self._lock:
            self._tell = tell

    def begin(self, what: str) -> Wait:
        wait = Wait(what, time.monotonic())
        with self._lock:
            if self._tell is not None and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="waits", daemon=True)
                self._thread.start()
            self._waits.add(wait)
            if len(self._waits) == 1:
                self._some.notify()
        return wait

    def end(self, wait: Wait) -> None:
        with self._lock:
            self._waits.discard(wait)

    def check(self, now: float) -> None:
        """Tell of every wait that is due at ``now``; of equal ones once."""
        with self._lock:
            due = {wait.what: waited for wait in self._waits if (waited := wait.due(now))}
            # under the lock: a wait that has ended is never told of
            for what, waited in due.items():
                if self._tell is not None:
                    self._tell(what, waited)

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._waits:
                    self._some.wait()
            time.sleep(AFTER_S / 8)
            self.check(time.monotonic())


_WATCH = Watch()
report_to = _WATCH.report_to


@contextmanager
def waiting(what: str) -> Iterator[Wait]:
    """Around work that somebody else must answer; ``what`` goes on after "waiting for "."""
    wait = _WATCH.begin(what)
    try:
        yield wait
    finally:
        _WATCH.end(wait)
