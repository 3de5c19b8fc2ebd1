# SPDX-License-Identifier: GPL-3.0-or-later
"""Sparse files: copied with their holes, and zeroed without filling holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

_STEP_BYTES = 1 << 16  # larger ones get fresh memory from the kernel every time


def copy_sparse(source: Path, target: Path) -> None:
    """A copy that takes no more room than the original."""
    target.unlink(missing_ok=True)
    with source.open("rb") as old, target.open("wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        for start, end in _data(old.fileno(), 0, size):
            at = start
            while at < end:
                at += os.pwrite(
                    new.fileno(), os.pread(old.fileno(), min(_STEP_BYTES, end - at), at), at
                )


def zero(file_fd: int, start: int, end: int) -> None:
    """Make a stretch read as zeros; holes in it stay holes."""
    for first, last in list(_data(file_fd, start, end)):
        at = first
        while at < last:
            at += os.pwrite(file_fd, bytes(min(_STEP_BYTES, last - at)), at)


def _data(file_fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretches between ``start`` and ``end`` that are not holes."""
    at = start
    while at < end:
        try:
            first = os.lseek(file_fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # only a hole is left
            raise
        if first >= end:
            return
        at = os.lseek(file_fd, first, os.SEEK_HOLE)
        yield first, min(at, end)
