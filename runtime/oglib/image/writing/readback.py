# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the medium holds, past the page cache, and hashes the runs it is asked for.

O_DIRECT where the filesystem has it; elsewhere the cached pages are dropped before each read
(they are clean then: the caller has flushed). Never writes to the target.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from blake3 import blake3

from oglib.errors import WriteError
from oglib.image.writing.direct import aligned_memory
from oglib.image.writing.target import Target

Runs = Sequence[tuple[int, int]]
_ALIGN = 4096
_FLAGS = os.O_RDONLY | os.O_CLOEXEC


class ReadBack:
    """Reads one target; one per thread (it owns the aligned buffer).

    ``room_bytes`` is the longest read that will be asked for.
    """

    def __init__(self, target: Target, room_bytes: int) -> None:
        self._target = target
        self._view = aligned_memory(room_bytes + 2 * _ALIGN)
        # Through /proc, not the path: it is the same open file whatever happened to the name.
        self._node = f"/proc/self/fd/{target.fd}"
        self._direct = True
        try:
            self._fd = os.open(self._node, _FLAGS | os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise self._failed(error, 0) from error
            self._open_cached()

    def _open_cached(self) -> None:
        self._direct = False
        try:
            self._fd = os.open(self._node, _FLAGS)
        except OSError as error:
            raise self._failed(error, 0) from error

    def _failed(self, error: OSError, offset: int) -> WriteError:
        return WriteError(
            f"Reading back {self._target.path} at byte {offset} (sector "
            f"{offset // self._target.sector_size}) failed: {error.strerror}.",
            hint="The disk may be failing; look at its SMART data and the kernel's log.",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Once or more often."""
        self._close_file()
        self._view.release()

    def _close_file(self) -> None:
        fd, self._fd = self._fd, -1  # the number may be another file's from now on
        if fd >= 0:
            os.close(fd)

    def read(self, start: int, length: int) -> memoryview:
        """``length`` bytes of the medium from ``start``; valid until the next call."""
        first = start - start % _ALIGN
        want = start + length - first
        room = want + -want % _ALIGN
        got = 0
        try:
            if not self._direct:
                os.posix_fadvise(self._fd, first, room, os.POSIX_FADV_DONTNEED)
            while got < want:
                count = self._read_some(got, room, first + got)
                if not count:
                    raise WriteError(f"{self._target.path} ends before byte {start + length}.")
                got += count
        except OSError as error:
            raise self._failed(error, first + got) from error
        return self._view[start - first : want]

    def _read_some(self, got: int, room: int, offset: int) -> int:
        try:
            return os.preadv(self._fd, [self._view[got:room]], offset)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
        # Opened with O_DIRECT, but this storage wants a coarser alignment than any page.
        self._close_file()
        self._open_cached()
        os.posix_fadvise(self._fd, offset, room - got, os.POSIX_FADV_DONTNEED)
        return os.preadv(self._fd, [self._view[got:room]], offset)

    def digest(self, runs: Runs) -> bytes:
        """BLAKE3 of what the target holds in ``runs``, back to back; they span one region."""
        return self.digests([runs])[0]

    def digests(self, pieces: Sequence[Runs]) -> list[bytes]:
        """``digest`` of each of ``pieces``, which are ascending and read at once."""
        start = pieces[0][0][0]
        span = self.read(start, pieces[-1][-1][0] + pieces[-1][-1][1] - start)
        return [_digest(span, start, runs) for runs in pieces]

    def holds(self, runs: Runs, digest: bytes) -> bool:
        """Whether what the target holds in ``runs`` has this digest."""
        return self.digest(runs) == digest


def _digest(span: memoryview, start: int, runs: Runs) -> bytes:
    """BLAKE3 of ``runs`` in ``span``, which was read from ``start``."""
    parts = [span[offset - start : offset - start + length] for offset, length in runs]
    return blake3(parts[0] if len(parts) == 1 else b"".join(parts)).digest()


class TargetHasher:
    """``ReadBack`` for a pool of threads: each gets its own, all are closed together."""

    def __init__(self, target: Target, room_bytes: int) -> None:
        self._target = target
        self._room_bytes = room_bytes
        self._local = threading.local()
        self._readers: list[ReadBack] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for reader in self._readers:
            reader.close()

    def digest(self, runs: Runs) -> bytes:
        """What ``ReadBack.digest`` says, from any thread."""
        reader: ReadBack | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = ReadBack(self._target, self._room_bytes)
            self._readers.append(reader)
        return reader.digest(runs)

    def holds(self, runs: Runs, digest: bytes) -> bool:
        """Whether what the target holds in ``runs`` has this digest."""
        return self.digest(runs) == digest
