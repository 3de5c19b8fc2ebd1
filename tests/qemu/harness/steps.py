# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of a run as a nested, timed log; the same steps drive the demo's live display."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

StepListener = Callable[[str, int, float | None], None]


class StepLog:
    """Writes ``  > text`` when a step begins and its seconds when it ends."""

    def __init__(self) -> None:
        self._depth = 0
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._file: Path | None = None
        self.listeners: list[StepListener] = []
        self.quiet = False
        self.shown: list[str] = []
        """What a good run shows too, at its end."""

    def into(self, path: Path | None) -> None:
        """Also append what is said to this file (None: no longer)."""
        self._file = path

    def say(self, text: str) -> None:
        """One line in the log, at the present depth."""
        line = f"[{time.monotonic() - self._started:7.1f}] {'  ' * self._depth}{text}"
        with self._lock:
            if not self.quiet:
                print(line, file=sys.stderr, flush=True)
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as stream:
                    stream.write(line + "\n")

    def show(self, text: str) -> None:
        """Something to be seen by whoever ran the tests, not only after a failure."""
        self.say(text)
        self.shown.append(text)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Name what happens now; nested steps are indented."""
        self.say(f"> {text}")
        begun = time.monotonic()
        for listener in self.listeners:
            listener(text, self._depth, None)
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            self.say(f"! {text}: failed after {time.monotonic() - begun:.1f} s")
            raise
        self._depth -= 1
        took = time.monotonic() - begun
        self.say(f"< {text}: {took:.1f} s")
        for listener in self.listeners:
            listener(text, self._depth, took)


LOG = StepLog()
step = LOG.step
