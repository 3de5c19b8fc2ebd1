# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on a share, read so that a share that goes away costs seconds and never for ever.

The kernel may keep whoever reads such a file waiting without an end, so that is done by a thread
that can be left behind: whoever wants the bytes waits for them no longer than it has patience.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from oglib.errors import TransferError

STALL_S = 15.0
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


class FarFile:
    """A regular file on a share, for any number of threads; all errors are ``TransferError``."""

    def __init__(self, path: Path, stall_s: float = STALL_S) -> None:
        self.path = path
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._readers = 0
        self._closed = False
        try:
            self._fd, self.size_bytes = within(str(path), stall_s, self._open)
        except OSError as error:
            raise gone(str(path), _why(error)) from error

    def _open(self) -> tuple[int, int]:
        # O_NONBLOCK: opening a FIFO must not wait for a writer that never comes.
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(0, "it is no regular file")
        return fd, status.st_size

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` to ``stop`` as they come, each within the time."""
        self._begin()
        come: SimpleQueue[bytes | OSError] = SimpleQueue()
        left = threading.Event()

        def bring() -> None:
            at = start
            try:
                while at < stop and not left.is_set():
                    piece = os.pread(self._fd, min(_STEP_BYTES, stop - at), at)
                    come.put(piece)
                    if not piece:
                        return
                    at += len(piece)
            except OSError as error:
                come.put(error)
            finally:
                self._end()

        threading.Thread(target=bring, name="og-far", daemon=True).start()
        try:
            while start < stop:
                piece = self._taken(come.get(timeout=self._stall_s), start)
                start += len(piece)
                yield piece
        except Empty:
            raise gone(str(self.path), f"nothing came for {self._stall_s:.2g} s") from None
        finally:
            left.set()

    def _taken(self, piece: bytes | OSError, at: int) -> bytes:
        if isinstance(piece, OSError):
            raise gone(f"{self.path} at byte {at}", _why(piece)) from piece
        if not piece:
            raise gone(str(self.path), f"it ends at byte {at}")
        return piece

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
            with suppress(OSError):  # of a server that is gone
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
