# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves behind the writers: flush a batch of regions, read it back, mark it done.

One thread. What it has not marked does not count. After its first error (a flush that failed,
a read that failed, content that differs) it marks nothing more: a flush reports lost writes
once only, so no later one may be believed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from oglib.errors import WriteError
from oglib.image.readback import ReadBack
from oglib.image.target import Target

_BATCH_BYTES = 64 << 20
_BATCH_RUNS = 1 << 15  # what a batch remembers is small, however fragmented the content is
# Written but not yet flushed: bounds dirty memory on a PC with 1 GiB.
_MOST_BATCHES = 3


class Piece(NamedTuple):
    """Content at its place: ``runs`` are (offset on the target, length) in bytes, ascending.

    ``digest`` is the BLAKE3 of ``length`` bytes of content, empty where nothing is read back.
    """

    number: int
    runs: list[tuple[int, int]]
    length: int
    digest: bytes


class Prover:
    """``add`` what was written; ``stop`` returns when all of it is proven or proving failed.

    ``mark`` is told the numbers of each batch, ascending, when it is flushed and proven.
    """

    def __init__(
        self,
        target: Target,
        room_bytes: int,
        mark: Callable[[list[int]], None],
        *,
        verify: bool,
    ) -> None:
        self._target = target
        self._room_bytes = room_bytes
        self._mark = mark
        self._verify = verify
        self._state = threading.Condition()
        self._open: list[Piece] = []
        self._open_bytes = self._open_runs = 0
        self._batches: deque[list[Piece]] = deque()
        self._closing = False
        self._started = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="og-prover", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._started = True

    def wait_for_room(self) -> None:
        """Block while too much is written and unproven; raise the prover's error."""
        with self._state:
            while len(self._batches) >= _MOST_BATCHES and not self.error:
                self._state.wait()
        if self.error:
            raise self.error

    def add(self, piece: Piece) -> None:
        """``piece`` is written: all of it is in the page cache."""
        with self._state:
            self._open.append(piece)
            self._open_bytes += piece.length
            self._open_runs += len(piece.runs)
            if self._open_bytes >= _BATCH_BYTES or self._open_runs >= _BATCH_RUNS:
                self._close_batch()

    def _close_batch(self) -> None:
        if self._open:
            self._batches.append(self._open)
            self._open, self._open_bytes, self._open_runs = [], 0, 0
            self._state.notify_all()

    def stop(self) -> None:
        """Prove what is left and end the thread; ``error`` says how it went."""
        with self._state:
            self._close_batch()
            self._closing = True
            self._state.notify_all()
        if self._started:
            self._thread.join()

    def _run(self) -> None:
        try:
            with ReadBack(self._target, self._room_bytes) as reader:
                while batch := self._next():
                    self._prove(batch, reader)
                    with self._state:
                        self._batches.popleft()
                        self._state.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again where content comes from
            with self._state:
                self.error = error
                self._state.notify_all()

    def _next(self) -> list[Piece] | None:
        with self._state:
            while not self._batches and not self._closing:
                self._state.wait()
            return self._batches[0] if self._batches else None

    def _prove(self, batch: list[Piece], reader: ReadBack) -> None:
        self._target.flush()
        if self._verify:
            for piece in batch:
                check_held(self._target, piece, reader)
        self._mark(sorted(piece.number for piece in batch))


def check_held(target: Target, piece: Piece, reader: ReadBack) -> None:
    """Raise ``WriteError`` unless the medium holds the content of ``piece``."""
    if piece.runs and not reader.holds(piece.runs, piece.digest):
        raise WriteError(
            f"{target.path} does not hold what was written to it near byte {piece.runs[0][0]}.",
            hint="The disk or its cable may be failing; do not use this restore.",
        )
