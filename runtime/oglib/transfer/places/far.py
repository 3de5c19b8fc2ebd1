# SPDX-License-Identifier: GPL-3.0-or-later
"""A file on a share, read so that a share that goes away costs seconds and never for ever.

The kernel may keep whoever reads such a file waiting without an end, so that is done by a thread
that can be left behind: whoever wants the bytes waits for them no longer than it has patience.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from oglib.connection import USUAL
from oglib.errors import OgErr, TransferError
from oglib.transfer.http import Got

_STEP_BYTES = 256 << 10
_T = TypeVar("_T")


def within(what: str, seconds: float, work: Callable[[], _T]) -> _T:
    """What ``work`` gives; ``TransferError`` where that takes longer.

    ``work`` is left behind then, and must not matter any more.
    """
    done: SimpleQueue[tuple[_T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            done.put((None, error))

    threading.Thread(target=run, name="og-far", daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except Empty:
        raise gone(what, f"nothing came for {seconds:.2g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # None only where ``work`` gave it


def gone(what: str, why: str) -> TransferError:
    return TransferError(
        f"{what} cannot be read: {why}.",
        hint="Check that the share it is on is mounted, and the server that it comes from.",
    )


class FarSource:
    """A regular file on a share, for any number of threads; has the shape of a frame source.

    ``expected_size``: of the file, where that is known.
    """

    def __init__(
        self, path: Path, *, expected_size: int | None = None, stall_s: float = USUAL.stall_s
    ) -> None:
        self.path = path
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._readers = 0
        self._closed = False
        try:
            self._fd, self.size_bytes = within(str(path), stall_s, self._open)
        except OSError as error:
            raise gone(str(path), _why(error)) from error
        if expected_size is not None and self.size_bytes != expected_size:
            self.close()
            raise TransferError(
                f"{path} has {self.size_bytes} bytes instead of {expected_size}.",
                hint="The file is incomplete or another version.",
                code=OgErr.IMAGE,
            )

    def _open(self) -> tuple[int, int]:
        # O_NONBLOCK: opening a FIFO must not wait for a writer that never comes.
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(0, "it is no regular file")
        return fd, status.st_size

    def describe(self) -> str:
        return str(self.path)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or ``TransferError``."""
        got = Got()
        self.read_into(got, offset, length)
        return got.joined()

    def read_into(self, got: Got, offset: int, length: int) -> None:
        """What ``got`` lacks of that range; where it fails, what came until then is in it."""
        self._begin()
        pieces: SimpleQueue[bytes | OSError] = SimpleQueue()
        left = threading.Event()
        start, stop = offset + got.have, offset + length

        def bring() -> None:
            at = start
            try:
                while at < stop and not left.is_set():
                    piece = os.pread(self._fd, min(_STEP_BYTES, stop - at), at)
                    pieces.put(piece)
                    if not piece:
                        return
                    at += len(piece)
            except OSError as error:
                pieces.put(error)
            finally:
                self._end()

        threading.Thread(target=bring, name="og-far", daemon=True).start()
        try:
            while got.have < length:
                self._take(pieces.get(timeout=self._stall_s), got, offset)
        except Empty:
            raise gone(str(self.path), f"nothing came for {self._stall_s:.2g} s") from None
        finally:
            left.set()

    def _take(self, piece: bytes | OSError, got: Got, offset: int) -> None:
        if isinstance(piece, OSError):
            raise gone(f"{self.path} at byte {offset + got.have}", _why(piece)) from piece
        if not piece:
            raise gone(str(self.path), f"it ends at byte {offset + got.have}")
        got.add(piece)

    def _begin(self) -> None:
        with self._lock:
            if self._closed:
                raise gone(str(self.path), "it was closed while it was in use")
            self._readers += 1

    def _end(self) -> None:
        with self._lock:
            self._readers -= 1
            last = self._closed and not self._readers
        if last:
            os.close(self._fd)

    def close(self) -> None:
        """Reads fail from now on. The last reader that is left behind closes the file itself.

        That may hang as reading does, so nobody waits for it.
        """
        with self._lock:
            first, self._closed = not self._closed, True
            self._readers += first
        if first:
            threading.Thread(target=self._end, name="og-far", daemon=True).start()


def _why(error: OSError) -> str:
    text = error.strerror or "the system does not say why"
    return text[0].lower() + text[1:]
