# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves behind the writers: flush a batch of frames, read it back, mark it done.

One thread. What it has not marked does not count. After its first error (a flush that failed,
a read that failed, content that differs) it marks nothing more: a flush reports lost writes
once only, so no later one may be believed.
"""

from __future__ import annotations

import threading
from collections import deque

from oglib.errors import WriteError
from oglib.image.done_map import DoneMap
from oglib.image.format import OpenImage
from oglib.image.readback import ReadBack
from oglib.image.target import Target

_BATCH_BYTES = 64 << 20
# Written but not yet flushed: bounds dirty memory on a PC with 1 GiB.
_MOST_BATCHES = 3


class Prover:
    """``add`` what was written; ``stop`` returns when all of it is proven or proving failed."""

    def __init__(self, image: OpenImage, target: Target, done: DoneMap, *, verify: bool) -> None:
        self._image = image
        self._target = target
        self._done = done
        self._verify = verify
        self._state = threading.Condition()
        self._open: list[int] = []
        self._open_bytes = 0
        self._batches: deque[list[int]] = deque()
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

    def add(self, index: int, length: int) -> None:
        """Frame ``index`` is written: all of it is in the page cache."""
        with self._state:
            self._open.append(index)
            self._open_bytes += length
            if self._open_bytes >= _BATCH_BYTES:
                self._close_batch()

    def _close_batch(self) -> None:
        if self._open:
            self._batches.append(self._open)
            self._open, self._open_bytes = [], 0
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
            with ReadBack(self._image, self._target) as reader:
                while batch := self._next():
                    self._prove(batch, reader)
                    with self._state:
                        self._batches.popleft()
                        self._state.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again where frames come from
            with self._state:
                self.error = error
                self._state.notify_all()

    def _next(self) -> list[int] | None:
        with self._state:
            while not self._batches and not self._closing:
                self._state.wait()
            return self._batches[0] if self._batches else None

    def _prove(self, batch: list[int], reader: ReadBack) -> None:
        self._target.flush()
        if self._verify:
            for index in batch:
                check_held(self._image, self._target, index, reader)
        self._done.mark(sorted(batch))


def check_held(image: OpenImage, target: Target, index: int, reader: ReadBack) -> None:
    """Raise ``WriteError`` unless the medium holds the content of frame ``index``."""
    frame = image.frames[index]
    if not reader.holds(frame):
        offset = frame.first_block * image.header.block_size
        raise WriteError(
            f"{target.path} does not hold what was written to it near byte {offset}.",
            hint="The disk or its cable may be failing; do not use this restore.",
        )
