# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the job of a boot is told: the PC's screen, serial lines, a log.

The screen gets a bar, the others plain lines. None of them is ever waited for: a screen that
somebody stopped (Scroll Lock), a serial line that nobody reads or a full memory lose what is said
meanwhile, and the job goes on.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from oglib.progress import Event, EventKind, Phase, Progress
from oglib.reporters import Bar, Lines

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FLAGS = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC


class Board:
    """Everything that is said, in every place; its methods may be called from any thread."""

    def __init__(self, places: Sequence[Bar | Lines]) -> None:
        self._places = tuple(places)
        self.progress = Progress(self, self.emit)

    def update(self, phase: Phase, *, last: bool) -> None:
        for place in self._places:
            place.update(phase, last=last)

    def emit(self, event: Event) -> None:
        for place in self._places:
            place.emit(event)

    def tell(self, facts: Sequence[str]) -> None:
        """Sentences of their own, a line each or more."""
        for fact in facts:
            self.emit(Event(EventKind.NOTE, fact))


@contextmanager
def opened_board(screen: Path, lines: Sequence[Path], log: Path | None) -> Iterator[Board]:
    """The board of this PC, closed at the block's end. A place that cannot be opened is left out.

    ``log`` is made anew, for root alone.
    """
    with ExitStack() as stack:
        places: list[Bar | Lines] = []
        for path, kind, flags in (
            (screen, Bar, _FLAGS),
            *((line, Lines, _FLAGS) for line in lines),
            *(((log, Lines, _FLAGS | os.O_CREAT | os.O_TRUNC),) if log else ()),
        ):
            with contextlib.suppress(OSError):
                places.append(kind(stack.enter_context(_opened(path, flags))))
        yield Board(places)


def _opened(path: Path, flags: int) -> TextIO:
    raw = _NeverWaits(os.open(path, flags, 0o600), "w")
    # a raw file takes the place of a buffered one: what is written is written at once
    return io.TextIOWrapper(raw, "utf-8", "replace", write_through=True)


class _NeverWaits(io.FileIO):
    """What is not taken at once is lost."""

    def write(self, data: ReadableBuffer, /) -> int:
        with contextlib.suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes
