# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that runs tests stays small: starting a program costs by the size of who starts it.

A fork copies the page tables. A process of 800 MiB, which the tests made of one within minutes,
pays 45 ms for each program it starts, one of 60 MiB 5 ms, and the tests start tens of thousands.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
from pathlib import Path

_M_MMAP_THRESHOLD = -3  # malloc.h
_M_ARENA_MAX = -8
_OWN_PAGES_BYTES = 256 << 10
_GROWTH_BYTES = 4 << 20
_STATM = Path("/proc/self/statm")

_libc = ctypes.CDLL(None)  # another one than GNU's lacks the calls, and grows as it likes
_size_bytes = 0


def allocate_little() -> None:
    """What is freed goes back: buffers have pages of their own, and threads no heaps of theirs."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_MMAP_THRESHOLD, _OWN_PAGES_BYTES)
        _libc.mallopt(_M_ARENA_MAX, 1)


def keep() -> None:
    """What is there now stays to the end: no collection looks through it again."""
    global _size_bytes  # noqa: PLW0603 - one number of this process
    gc.collect()
    gc.freeze()
    _size_bytes = _resident_bytes()


def give_back() -> None:
    """Collect what the last test left, where it left much.

    An error holds its traceback, which holds the buffers of those that it came through.
    """
    global _size_bytes  # noqa: PLW0603
    if _resident_bytes() > _size_bytes + _GROWTH_BYTES:
        gc.collect()
        if hasattr(_libc, "malloc_trim"):
            _libc.malloc_trim(0)
        _size_bytes = _resident_bytes()


def _resident_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * mmap.PAGESIZE
