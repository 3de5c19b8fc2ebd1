# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's live display: what is done, what happens now and for how long, the PC's progress.

On a terminal the last lines are redrawn in place; elsewhere each event is a plain line.
"""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from types import TracebackType
from typing import TextIO

_REDRAW_EVERY_S = 0.25
_SPINNER = "|/-\\"
_PROGRESS = re.compile(r"\[(\d+)\] ([a-z -]+): ([^\r\n]+)[\r\n]")  # a chunk may end within a line
_BAR_WIDTH = 20


class Display:
    """Give ``on_step`` to the step log, ``on_console`` to a console; use it as a context."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._begun = time.monotonic()
        self._current: list[tuple[str, float]] = []
        self._progress = ""
        self._tail = ""
        self._drawn = 0
        self._ticks = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Display:
        if self._live:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._stop.set()
            self._thread.join()
            with self._lock:
                self._wipe()

    def on_step(self, text: str, depth: int, took: float | None) -> None:
        """A step begins (``took`` None) or has ended."""
        with self._lock:
            if took is None:
                self._current.append((text, time.monotonic()))
                if not self._live:
                    self._stream.write(f"{self._clock()}  {'  ' * depth}{text} ...\n")
            else:
                self._current.pop()
                self._progress = ""
                self._wipe()
                self._stream.write(f"{self._clock()}  {'  ' * depth}{text}: {took:.1f} s\n")
            self._stream.flush()

    def on_console(self, chunk: str) -> None:
        """Pick progress lines out of what a PC says."""
        self._tail = (self._tail + chunk)[-400:]
        found = _PROGRESS.findall(self._tail)
        if found:
            percent, phase, amount = found[-1]
            self.progress(int(percent), f"{phase}: {amount}")

    def progress(self, percent: int, text: str) -> None:
        filled = _BAR_WIDTH * min(percent, 100) // 100
        line = f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {percent:3d} %  {text}"
        with self._lock:
            further = line[: 2 + _BAR_WIDTH] != self._progress[: 2 + _BAR_WIDTH]
            self._progress = line
            if further and not self._live:
                self._stream.write(f"{self._clock()}      {line}\n")
                self._stream.flush()

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        return f"{minutes:2d}:{seconds:02d}"

    def _wipe(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0

    def _run(self) -> None:
        while not self._stop.wait(_REDRAW_EVERY_S):
            with self._lock:
                self._wipe()
                self._draw()

    def _draw(self) -> None:
        columns = shutil.get_terminal_size().columns - 1
        self._ticks += 1
        lines = []
        for depth, (text, begun) in enumerate(self._current):
            mark = _SPINNER[self._ticks % len(_SPINNER)] if depth + 1 == len(self._current) else " "
            since = time.monotonic() - begun
            lines.append(f"{self._clock()} {mark} {'  ' * depth}{text} ... {since:.0f} s")
        if self._progress:
            lines.append(f"        {self._progress}")
        for line in lines:
            self._stream.write(line[:columns] + "\n")
        self._stream.flush()
        self._drawn = len(lines)
