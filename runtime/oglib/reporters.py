# SPDX-License-Identifier: GPL-3.0-or-later
"""What draws progress on standard error: a bar on a terminal, plain lines elsewhere, or JSON lines.

Plain lines are for a serial console or a log, JSON lines for programs that ask for them.
"""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from typing import TextIO

from oglib.errors import printable
from oglib.progress import PER_CENT, Event, Phase, Progress
from oglib.wording import columns
from oglib.wording.amounts import human_bytes, human_seconds

_BAR_EVERY_S = 0.2
_LINE_EVERY_S = 5.0
_NAME_LEAST, _NAME_COLUMNS = 8, 24
_BAR_LEAST = 4
_AGAIN = "\r\x1b[K"  # from the line's beginning, over what it shows


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

    def emit(self, event: Event) -> None:
        """Write a sentence; the phase that goes on is drawn anew when it next moves."""
        with self._lock:
            self._drawn = 0.0
            self._write(self.render(event))

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    @abstractmethod
    def draw(self, phase: Phase, *, last: bool) -> str: ...

    @abstractmethod
    def render(self, event: Event) -> str: ...


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
        filled = cells * phase.percent // PER_CENT
        line = f"{name}[{'#' * filled}{'.' * (cells - filled)}]{tail}"
        return f"{_AGAIN}{line[:room]}" + ("\n" if last else "")

    def render(self, event: Event) -> str:
        lines = columns.broken(printable(event.line), self._columns(), indent="  ")
        return _AGAIN + "".join(f"{line}\n" for line in lines)

    def _columns(self) -> int:
        return columns.of(self._stream) or columns.USUAL


class Lines(_Paced):
    """Plain lines, few enough for a serial console: ``[42] restore: 1.0 GiB of 2.4 GiB``."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        super().__init__(stream, _LINE_EVERY_S)

    def draw(self, phase: Phase, *, last: bool) -> str:
        percent = PER_CENT if last else phase.percent
        return f"[{percent}] {phase.name}: {_amount(phase)}, {human_bytes(phase.rate)}/s\n"

    def render(self, event: Event) -> str:
        return f"{printable(event.line)}\n"


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

    def render(self, event: Event) -> str:
        return _json(event.as_dict())


def _json(data: dict[str, object]) -> str:
    import json  # noqa: PLC0415  a command must start fast

    return json.dumps(data) + "\n"


def for_stream(stream: TextIO | None = None, *, as_json: bool = False) -> Progress:
    """The reporter that suits where ``stream``, else standard error, goes."""
    stream = sys.stderr if stream is None else stream
    reporter = JsonLines(stream) if as_json else Bar(stream) if stream.isatty() else Lines(stream)
    return Progress(reporter, reporter.emit)
