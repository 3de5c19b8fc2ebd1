# SPDX-License-Identifier: GPL-3.0-or-later
"""One progress model: work reports phases and bytes, a reporter decides how a person sees them.

What draws is in ``reporters``. Results never go through here.

Work of several steps is a task: it says once what comes onto what, then each step with its number
of how many. A screen of its own gives ``Progress`` a reporter for the phases and an ``emit`` for
the sentences, and draws both as it likes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

PER_CENT = 100


class Reporter(Protocol):
    """Draws the state of one phase; called from any thread, under the phase's lock."""

    def update(self, phase: Phase, *, last: bool) -> None: ...


class EventKind(StrEnum):
    """What a sentence is about."""

    TASK = "task"
    STEP = "step"
    WAIT = "waiting"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Event:
    """One sentence, as it comes while work goes on.

    TASK: ``text`` is what comes onto what, ``total`` how many steps it has. STEP: step ``number``
    of ``total`` begins. WAIT: nothing has come for ``seconds`` from what ``text`` names.
    NOTE: anything else that a person should know.
    """

    kind: EventKind
    text: str
    number: int = 0
    total: int = 0
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """As a person reads it."""
        if self.kind is EventKind.STEP:
            return f"step {self.number} of {self.total}: {self.text}"
        if self.kind is EventKind.WAIT:
            return f"waiting for {self.text} ({self.seconds:.0f} s)"
        return self.text

    def as_dict(self) -> dict[str, object]:
        """JSON-able: one object under the name of its kind."""
        fields: dict[str, object] = {"text": self.text}
        if self.kind is EventKind.STEP:
            fields["number"] = self.number
        if self.kind is EventKind.WAIT:
            fields["seconds"] = round(self.seconds, 1)
        if self.kind in (EventKind.TASK, EventKind.STEP):
            fields["total"] = self.total
        return {str(self.kind): fields}


# Called from any thread.
Emit = Callable[[Event], None]


def discard(_event: Event) -> None:
    """For work that nobody listens to."""


class Phase:
    """A piece of work with a known total in bytes (0 = unknown); thread-safe.

    What a run before left, and what is equal already, is skipped: it is done, but no work of this
    run, and so no part of its rate.
    """

    def __init__(self, name: str, total_bytes: int, reporter: Reporter) -> None:
        self.name = name
        self.total_bytes = total_bytes
        self.done_bytes = 0
        self.skipped_bytes = 0
        self.started = time.monotonic()
        self._reporter = reporter
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Bytes per second that this run worked on, since the phase began."""
        return (self.done_bytes - self.skipped_bytes) / max(self.seconds, 1e-6)

    @property
    def percent(self) -> int:
        if not self.total_bytes:
            return 0
        return min(PER_CENT, self.done_bytes * PER_CENT // self.total_bytes)

    def advance(self, count_bytes: int) -> None:
        with self._lock:
            self.done_bytes += count_bytes
            self._reporter.update(self, last=False)

    def skip(self, count_bytes: int) -> None:
        """So much is there already."""
        with self._lock:
            self.done_bytes += count_bytes
            self.skipped_bytes += count_bytes
            self._reporter.update(self, last=False)

    def finish(self) -> None:
        with self._lock:
            self._reporter.update(self, last=True)


class Task:
    """Work of several steps, each begun by its name, in their order; one may be left out."""

    def __init__(self, steps: Sequence[str], emit: Emit) -> None:
        self._steps = tuple(steps)
        self._emit = emit
        self._begun = 0

    def step(self, name: str) -> None:
        """The step of this name begins; ValueError where none of that name is still to come."""
        number = self._steps.index(name, self._begun) + 1
        self._begun = number
        self._emit(Event(EventKind.STEP, name, number, len(self._steps)))


class Progress:
    """Hands out phases that all draw through one reporter, and tasks that talk through one."""

    def __init__(self, reporter: Reporter, emit: Emit = discard) -> None:
        self._reporter = reporter
        self.emit = emit

    def task(self, title: str, steps: Sequence[str]) -> Task:
        """``title``: what comes onto what, in a sentence without a full stop."""
        self.emit(Event(EventKind.TASK, title, total=len(steps)))
        return Task(steps, self.emit)

    def waits(self, what: str, seconds: float) -> None:
        """For ``waits.report_to``."""
        self.emit(Event(EventKind.WAIT, what, seconds=seconds))

    @contextmanager
    def phase(self, name: str, total_bytes: int = 0) -> Iterator[Phase]:
        """A phase that is closed, and drawn a last time, when its work ended well."""
        phase = Phase(name, total_bytes, self._reporter)
        self._reporter.update(phase, last=False)
        yield phase
        phase.finish()


class Silent:
    """Draws nothing."""

    def update(self, phase: Phase, *, last: bool) -> None:
        pass
