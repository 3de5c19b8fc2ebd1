# SPDX-License-Identifier: GPL-3.0-or-later
"""One progress model: work reports phases and bytes, a reporter decides how a person sees them.

Three reporters draw on standard error: a bar on a terminal, plain lines elsewhere (serial
console, log), JSON lines on request. Results never go through here.

Work of several steps is a task: it says once what comes onto what, then each step with its number
of how many. A screen of its own gives ``Progress`` a reporter for the phases and a ``say`` for the
sentences, and draws both as it likes.
"""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TextIO

from oglib import columns
from oglib.amounts import human_bytes, human_seconds
from oglib.errors import printable

_BAR_EVERY_S = 0.2
_LINE_EVERY_S = 5.0
_PER_CENT = 100
_NAME_LEAST, _NAME_COLUMNS = 8, 24
_BAR_LEAST = 4
_AGAIN = "\r\x1b[K"  # from the line's beginning, over what it shows


class Reporter(Protocol):
    """Draws the state of one phase; called from any thread, under the phase's lock."""

    def update(self, phase: Phase, *, last: bool) -> None: ...


class Kind(StrEnum):
    """What a sentence is about."""

    TASK = "task"
    STEP = "step"
    WAIT = "waiting"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Saying:
    """One sentence said while work goes on.

    TASK: ``text`` is what comes onto what, ``total`` how many steps it has. STEP: step ``number``
    of ``total`` begins. WAIT: nothing has come for ``seconds`` from what ``text`` names.
    NOTE: anything else that a person should know.
    """

    kind: Kind
    text: str
    number: int = 0
    total: int = 0
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """As a person reads it."""
        if self.kind is Kind.STEP:
            return f"step {self.number} of {self.total}: {self.text}"
        if self.kind is Kind.WAIT:
            return f"waiting for {self.text} ({self.seconds:.0f} s)"
        return self.text

    def as_dict(self) -> dict[str, object]:
        """JSON-able: one object under the name of its kind."""
        told: dict[str, object] = {"text": self.text}
        if self.kind is Kind.STEP:
            told["number"] = self.number
        if self.kind is Kind.WAIT:
            told["seconds"] = round(self.seconds, 1)
        if self.kind in (Kind.TASK, Kind.STEP):
            told["total"] = self.total
        return {str(self.kind): told}


# Called from any thread.
Say = Callable[[Saying], None]


def unsaid(_saying: Saying) -> None:
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
        return min(_PER_CENT, self.done_bytes * _PER_CENT // self.total_bytes)

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

    def __init__(self, steps: Sequence[str], say: Say) -> None:
        self._steps = tuple(steps)
        self._say = say
        self._begun = 0

    def step(self, name: str) -> None:
        """The step of this name begins; ValueError where none of that name is still to come."""
        number = self._steps.index(name, self._begun) + 1
        self._begun = number
        self._say(Saying(Kind.STEP, name, number, len(self._steps)))


class Progress:
    """Hands out phases that all draw through one reporter, and tasks that talk through one."""

    def __init__(self, reporter: Reporter, say: Say = unsaid) -> None:
        self._reporter = reporter
        self.say = say

    def task(self, title: str, steps: Sequence[str]) -> Task:
        """``title``: what comes onto what, in a sentence without a full stop."""
        self.say(Saying(Kind.TASK, title, total=len(steps)))
        return Task(steps, self.say)

    def waits(self, what: str, seconds: float) -> None:
        """For ``waits.told_by``."""
        self.say(Saying(Kind.WAIT, what, seconds=seconds))

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


class _Paced(ABC):
    """Redraws at most every ``every_s``, but always at a phase's beginning and end."""

    def __init__(self, stream: TextIO, every_s: float) -> None:
        self._stream = stream
        self._every_s = every_s
        self._phase: Phase | None = None
        self._drawn = 0.0
        self._lock = threading.Lock()

    def update(self, phase: Phase, *, last: bool) -> None:
        now = time.monotonic()
        with self._lock:
            if phase is self._phase and not last and now - self._drawn < self._every_s:
                return
            self._phase = phase
            self._drawn = now
            self._write(self.draw(phase, last=last))

    def say(self, saying: Saying) -> None:
        """Write a sentence; the phase that goes on is drawn anew when it next moves."""
        with self._lock:
            self._drawn = 0.0
            self._write(self.told(saying))

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    @abstractmethod
    def draw(self, phase: Phase, *, last: bool) -> str: ...

    @abstractmethod
    def told(self, saying: Saying) -> str: ...


def _amount(phase: Phase) -> str:
    if not phase.total_bytes:
        return human_bytes(phase.done_bytes)
    return f"{human_bytes(phase.done_bytes)} of {human_bytes(phase.total_bytes)}"


class Bar(_Paced):
    """A bar that fits the terminal's width and is redrawn in place."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        super().__init__(stream, _BAR_EVERY_S)

    def draw(self, phase: Phase, *, last: bool) -> str:
        # without the last column: a terminal that wraps there would begin a new line
        room = self._columns() - 1
        tail = f" {phase.percent:3d} %  {_amount(phase)}  {human_bytes(phase.rate)}/s"
        if phase.total_bytes and phase.rate and not last:
            left = max(0, phase.total_bytes - phase.done_bytes) / phase.rate
            tail += f"  {human_seconds(left)} left"
        name = f"{columns.padded(columns.cut(phase.name, _NAME_COLUMNS), _NAME_LEAST)} "
        cells = max(_BAR_LEAST, room - columns.width(name) - len(tail) - 2)
        filled = cells * phase.percent // _PER_CENT
        line = f"{name}[{'#' * filled}{'.' * (cells - filled)}]{tail}"
        return f"{_AGAIN}{line[:room]}" + ("\n" if last else "")

    def told(self, saying: Saying) -> str:
        lines = columns.broken(printable(saying.line), self._columns(), indent="  ")
        return _AGAIN + "".join(f"{line}\n" for line in lines)

    def _columns(self) -> int:
        return columns.of(self._stream) or columns.USUAL


class Lines(_Paced):
    """Plain lines, few enough for a serial console: ``[42] restore: 1.0 GiB of 2.4 GiB``."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        super().__init__(stream, _LINE_EVERY_S)

    def draw(self, phase: Phase, *, last: bool) -> str:
        percent = _PER_CENT if last else phase.percent
        return f"[{percent}] {phase.name}: {_amount(phase)}, {human_bytes(phase.rate)}/s\n"

    def told(self, saying: Saying) -> str:
        return f"{printable(saying.line)}\n"


class JsonLines(_Paced):
    """One JSON object a line, for programs."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        super().__init__(stream, 1.0)

    def draw(self, phase: Phase, *, last: bool) -> str:
        event = {
            "phase": phase.name,
            "done_bytes": phase.done_bytes,
            "skipped_bytes": phase.skipped_bytes,
            "total_bytes": phase.total_bytes,
            "seconds": round(phase.seconds, 3),
            "finished": last,
        }
        return _json({"progress": event})

    def told(self, saying: Saying) -> str:
        return _json(saying.as_dict())


def _json(told: dict[str, object]) -> str:
    import json  # noqa: PLC0415  a command must start fast

    return json.dumps(told) + "\n"


def for_stream(stream: TextIO | None = None, *, as_json: bool = False) -> Progress:
    """The reporter that suits where ``stream``, else standard error, goes."""
    stream = sys.stderr if stream is None else stream
    reporter = JsonLines(stream) if as_json else Bar(stream) if stream.isatty() else Lines(stream)
    return Progress(reporter, reporter.say)
