# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves behind the writers: flush a batch of regions, read it back, mark it done.

One thread flushes; others read what is flushed, several reads in flight, while the next batch
is being written. What is not marked does not count. After the first error (a flush that failed,
a read that failed, content that differs) nothing more is marked: a flush reports lost writes
once only, so no later one may be believed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oglib.errors import WriteError
from oglib.image.ordered import worker_count
from oglib.image.writing.readback import ReadBack
from oglib.image.writing.target import Target

_BATCH_BYTES = 32 << 20
_FIRST_BATCH_BYTES = 4 << 20  # each is twice as long as the one before: reading begins soon
_BATCH_RUNS = 1 << 14  # what a batch remembers is small, however fragmented the content is
# Written but not yet proven: bounds dirty memory on a PC with 1 GiB, and how far the head of a
# disk has to go between what is written and what is read.
_MOST_BATCHES = 4
_READERS = 3
_READ_BYTES = 4 << 20
# Unused space that is read along rather than asked for around.
_GAP_BYTES = 64 << 10


class Piece(NamedTuple):
    """Content at its place: ``runs`` are (offset on the target, length) in bytes, ascending.

    ``digest`` is the BLAKE3 of ``length`` bytes of content, empty where nothing is read back.
    """

    number: int
    runs: list[tuple[int, int]]
    length: int
    digest: bytes


@dataclass(slots=True)
class _Batch:
    """``left``: the reads of it that are still to be done."""

    pieces: list[Piece]
    left: int = 0


class _Read(NamedTuple):
    batch: _Batch
    pieces: list[Piece]


class Prover:
    """``add`` what was written; ``stop`` returns when all of it is proven or proving failed.

    ``mark`` is told the numbers of each batch, ascending, when it is flushed and proven; one
    call at a time, from any thread.
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
        self._room_bytes = max(room_bytes, _READ_BYTES)
        self._mark = mark
        self._verify = verify
        self._state = threading.Condition()
        self._marking = threading.Lock()
        self._open: list[Piece] = []
        self._open_bytes = self._open_runs = 0
        self._batch_bytes = min(_FIRST_BATCH_BYTES, _BATCH_BYTES)
        self._batches: deque[_Batch] = deque()  # closed, not flushed
        self._reads: deque[_Read] = deque()
        self._unproven = 0
        self._closing = False
        self._all_flushed = False
        self._started = False
        self.error: BaseException | None = None
        self._threads = [self._thread("flush", self._flush)]
        readers = worker_count(_READERS, 4 * self._room_bytes) if verify else 0
        self._threads += [self._thread(f"{number}", self._read) for number in range(readers)]

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again where content comes from
                with self._state:
                    self.error = self.error or error
                    self._state.notify_all()

        return threading.Thread(target=run, name=f"og-prover-{name}", daemon=True)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self._started = True

    def wait_for_room(self) -> None:
        """Block while too much is written and unproven; raise the prover's error."""
        with self._state:
            while self._unproven >= _MOST_BATCHES and not self.error:
                self._state.wait()
        if self.error:
            raise self.error

    def add(self, piece: Piece) -> None:
        """``piece`` is written; the next flush makes it lasting."""
        with self._state:
            self._open.append(piece)
            self._open_bytes += piece.length
            self._open_runs += len(piece.runs)
            if self._open_bytes >= self._batch_bytes or self._open_runs >= _BATCH_RUNS:
                self._close_batch()

    def _close_batch(self) -> None:
        if self._open:
            self._batches.append(_Batch(self._open))
            self._unproven += 1
            self._open, self._open_bytes, self._open_runs = [], 0, 0
            self._batch_bytes = min(2 * self._batch_bytes, _BATCH_BYTES)
            self._state.notify_all()

    def stop(self) -> None:
        """Prove what is left and end the threads; ``error`` says how it went."""
        with self._state:
            self._close_batch()
            self._closing = True
            self._state.notify_all()
        if self._started:
            for thread in self._threads:
                thread.join()

    def _flush(self) -> None:
        while batch := self._next_batch():
            self._target.flush()
            reads = list(_reads(batch.pieces, self._room_bytes)) if self._verify else []
            if not reads:
                self._proven(batch)
                continue
            with self._state:
                batch.left = len(reads)
                self._reads.extend(_Read(batch, pieces) for pieces in reads)
                self._state.notify_all()
        with self._state:
            self._all_flushed = True
            self._state.notify_all()

    def _next_batch(self) -> _Batch | None:
        with self._state:
            while not self._batches and not self._closing and not self.error:
                self._state.wait()
            return self._batches.popleft() if self._batches and not self.error else None

    def _read(self) -> None:
        with ReadBack(self._target, self._room_bytes) as reader:
            while read := self._next_read():
                check_held(self._target, read.pieces, reader)
                with self._state:
                    read.batch.left -= 1
                    last = not read.batch.left
                if last:
                    self._proven(read.batch)

    def _next_read(self) -> _Read | None:
        with self._state:
            while not self._reads and not self._all_flushed and not self.error:
                self._state.wait()
            return self._reads.popleft() if self._reads and not self.error else None

    def _proven(self, batch: _Batch) -> None:
        with self._marking:
            if self.error:
                return
            self._mark(sorted(piece.number for piece in batch.pieces))
        with self._state:
            self._unproven -= 1
            self._state.notify_all()


def _reads(pieces: Sequence[Piece], room_bytes: int) -> Iterator[list[Piece]]:
    """``pieces`` by their place, neighbours together as far as one read has room for them."""
    group: list[Piece] = []
    for piece in sorted((one for one in pieces if one.runs), key=lambda one: one.runs[0][0]):
        if group and not _goes_with(piece, group, room_bytes):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _goes_with(piece: Piece, group: Sequence[Piece], room_bytes: int) -> bool:
    end = _end(group[-1])
    start = piece.runs[0][0]
    return 0 <= start - end <= _GAP_BYTES and _end(piece) - group[0].runs[0][0] <= room_bytes


def _end(piece: Piece) -> int:
    return piece.runs[-1][0] + piece.runs[-1][1]


def check_held(target: Target, pieces: Sequence[Piece], reader: ReadBack) -> None:
    """Raise ``WriteError`` unless the medium holds ``pieces``, which are neighbours."""
    found = reader.digests([piece.runs for piece in pieces])
    for piece, digest in zip(pieces, found, strict=True):
        if digest != piece.digest:
            raise WriteError(
                f"{target.path} does not hold what was written to it near byte {piece.runs[0][0]}.",
                hint="The disk or its cable may be failing; do not use this restore.",
            )
