# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps freed memory in the process, for work that takes and drops a megabyte every millisecond.

By default the C library gives such pieces back to the kernel at once and gets them anew, zeroed
page by page: a tenth of the processor time of a restore. Changes the whole process, and only
that: its memory stays as large as it was at its largest.
"""

from __future__ import annotations

import ctypes
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# What glibc allows at most; a large bitmap or window above it is still given back.
_MMAP_BYTES = 32 << 20
_TRIM_BYTES = 128 << 20


@cache
def keep_freed_memory() -> None:
    """Do it once; without effect where the C library has no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
