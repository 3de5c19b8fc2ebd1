# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes regions past the page cache where the storage and the content allow it.

A block device takes whole pages straight from our memory: nothing is copied into the page
cache, nothing waits there for a flush, and what was written can be read back at once. Regions
that are not made of whole pages, or of many short runs, which the cache joins better, go
through the cache; so does everything on a regular file. A region goes one way or the other as
a whole, so the two never meet in a page. Neither way is lasting before ``Target.flush``.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress

from oglib.errors import WriteError
from oglib.image.reading.formats.model import Buffer
from oglib.image.writing.target import Target

PAGE_BYTES = 4096
_FLAGS = os.O_WRONLY | os.O_CLOEXEC | os.O_DIRECT
_REQUEST_BYTES = 4 << 20
# Shorter ones, on the average, are left to the page cache.
_LEAST_RUN_BYTES = 64 << 10


def aligned_memory(size_bytes: int) -> memoryview:
    """Zeroed memory that begins with a page; freed with the last view of it.

    In large pages where it can be: a device is told of each page of a request.
    """
    room = mmap.mmap(-1, size_bytes)
    with suppress(OSError):
        room.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(room)


class DirectWriter:
    """Writes to one target, from any thread; ``close`` when no thread writes any more."""

    def __init__(self, target: Target, region_bytes: int) -> None:
        self._target = target
        self._region_bytes = region_bytes
        self._grain = max(PAGE_BYTES, target.sector_size)
        self._local = threading.local()
        self._fd = -1
        self._wanted = target.is_block

    def open(self) -> None:
        """Before the first write; storage that does not know direct writes does without."""
        if not self._wanted:
            return
        # Pages that somebody has read from here are of the old content.
        with suppress(OSError):
            os.posix_fadvise(self._target.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        # Through /proc, not the path: it is the same device whatever happened to the name.
        with suppress(OSError):
            self._fd = os.open(f"/proc/self/fd/{self._target.fd}", _FLAGS)

    def close(self) -> None:
        """Once or more often."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def request_bytes(self) -> int:
        """How much is best written at once: a disk wants much, a cache what it has at hand."""
        return max(self._region_bytes, _REQUEST_BYTES if self._fd >= 0 else 0)

    def write_runs(self, runs: Sequence[tuple[int, int]], views: Sequence[Buffer]) -> None:
        """``views``, back to back, into ``runs`` of (offset, length), or ``WriteError``."""
        if self._fd < 0 or not self._wanted or not self._can_go_direct(runs):
            self._target.write_runs(runs, views)
            return
        content = self._in_aligned_memory(views)
        at = 0
        runs = _joined(runs)
        for number, (offset, length) in enumerate(runs):
            if not self._write(content[at : at + length], offset):
                self._wanted = False
                self._target.write_runs(runs[number:], [content[at:]])
                return
            at += length

    def _can_go_direct(self, runs: Sequence[tuple[int, int]]) -> bool:
        whole = all(not (offset | length) % self._grain for offset, length in runs)
        return whole and sum(length for _, length in runs) >= len(runs) * _LEAST_RUN_BYTES

    def _in_aligned_memory(self, views: Sequence[Buffer]) -> memoryview:
        """``views`` back to back: as they are, or copied to where the device can fetch them."""
        if len(views) == 1 and _is_aligned(view := memoryview(views[0])):
            return view
        length = sum(map(len, views))
        room: memoryview | None = getattr(self._local, "room", None)
        if room is None or len(room) < length:
            room = self._local.room = aligned_memory(max(self._region_bytes, length))
        at = 0
        for each in views:
            room[at : at + len(each)] = each
            at += len(each)
        return room[:length]

    def _write(self, view: memoryview, offset: int) -> bool:
        """Write all of ``view``; False where the storage refuses how it is asked."""
        try:
            while view:
                count = os.pwrite(self._fd, view, offset)
                if not count:
                    raise WriteError(f"{self._target.path} ends at byte {offset}.")
                view, offset = view[count:], offset + count
        except OSError as error:
            if error.errno == errno.EINVAL:  # a coarser alignment than its sectors
                return False
            raise self._target.not_written(error, offset) from error
        return True


def _joined(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for offset, length in runs:
        if joined and sum(joined[-1]) == offset:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        else:
            joined.append((offset, length))
    return joined


def _is_aligned(view: memoryview) -> bool:
    if view.readonly or not view.contiguous:
        return False
    return not ctypes.addressof(ctypes.c_char.from_buffer(view)) % PAGE_BYTES
