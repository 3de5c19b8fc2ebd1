# SPDX-License-Identifier: GPL-3.0-or-later
"""One progress model: work reports phases and bytes, a reporter decides how a person sees them.

Three reporters draw on standard error: a bar on a terminal, plain lines elsewhere (serial
console, log), JSON lines on request. Results never go through here.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

_BAR_EVERY_S = 0.2
_LINE_EVERY_S = 5.0
_PER_CENT = 100


def human_bytes(count: float) -> str:
    """``1536`` as ``1.5 KiB``: binary units, three digits at most before the unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


class Reporter(Protocol):
    """Draws the state of one phase; called from any thread, under the phase's lock."""

    def update(self, phase: Phase, *, last: bool) -> None: ...


class Phase:
    """A piece of work with a known total in bytes (0 = unknown); ``advance`` is thread-safe."""

    def __init__(self, name: str, total_bytes: int, reporter: Reporter) -> None:
        self.name = name
        self.total_bytes = total_bytes
        self.done_bytes = 0
        self.started = time.monotonic()
        self._reporter = reporter
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Bytes per second since the phase began."""
        return self.done_bytes / max(self.seconds, 1e-6)

    @property
    def percent(self) -> int:
        if not self.total_bytes:
            return 0
        return min(_PER_CENT, self.done_bytes * _PER_CENT // self.total_bytes)

    def advance(self, count_bytes: int) -> None:
        with self._lock:
            self.done_bytes += count_bytes
            self._reporter.update(self, last=False)

    def finish(self) -> None:
        with self._lock:
            self._reporter.update(self, last=True)


class Progress:
    """Hands out phases that all draw through one reporter."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

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

    def update(self, phase: Phase, *, last: bool) -> None:
        now = time.monotonic()
        if phase is self._phase and not last and now - self._drawn < self._every_s:
            return
        self._phase = phase
        self._drawn = now
        self._stream.write(self.draw(phase, last=last))
        self._stream.flush()

    @abstractmethod
    def draw(self, phase: Phase, *, last: bool) -> str: ...


def _amount(phase: Phase) -> str:
    if not phase.total_bytes:
        return human_bytes(phase.done_bytes)
    return f"{human_bytes(phase.done_bytes)} of {human_bytes(phase.total_bytes)}"


class Bar(_Paced):
    """A bar that fits the terminal's width and is redrawn in place."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        super().__init__(stream, _BAR_EVERY_S)

    def draw(self, phase: Phase, *, last: bool) -> str:
        columns = shutil.get_terminal_size().columns - 1
        tail = f" {phase.percent:3d} %  {_amount(phase)}  {human_bytes(phase.rate)}/s"
        if phase.total_bytes and phase.rate and not last:
            left = max(0, phase.total_bytes - phase.done_bytes) / phase.rate
            tail += f"  {left:.0f} s left"
        name = f"{phase.name:<8.24} "
        room = max(4, columns - len(name) - len(tail) - 2)
        filled = room * phase.percent // _PER_CENT
        line = f"{name}[{'#' * filled}{'.' * (room - filled)}]{tail}"
        return f"\r\x1b[K{line[:columns]}" + ("\n" if last else "")


class Lines(_Paced):
    """Plain lines, few enough for a serial console: ``[42] restore: 1.0 GiB of 2.4 GiB``."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        super().__init__(stream, _LINE_EVERY_S)

    def draw(self, phase: Phase, *, last: bool) -> str:
        percent = _PER_CENT if last else phase.percent
        return f"[{percent}] {phase.name}: {_amount(phase)}, {human_bytes(phase.rate)}/s\n"


class JsonLines(_Paced):
    """One JSON object a line, for programs."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        super().__init__(stream, 1.0)

    def draw(self, phase: Phase, *, last: bool) -> str:
        event = {
            "phase": phase.name,
            "done_bytes": phase.done_bytes,
            "total_bytes": phase.total_bytes,
            "seconds": round(phase.seconds, 3),
            "finished": last,
        }
        return json.dumps({"progress": event}) + "\n"


def for_stream(stream: TextIO = sys.stderr, *, as_json: bool = False) -> Progress:
    """The reporter that suits where standard error goes."""
    if as_json:
        return Progress(JsonLines(stream))
    return Progress(Bar(stream) if stream.isatty() else Lines(stream))
