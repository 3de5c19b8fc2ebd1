# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens what a path means inside a folder that cannot be left: openat2(RESOLVE_IN_ROOT), Linux 5.6.

The kernel resolves every link and ``..`` in the folder. What it asks to try again is tried again.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time

from oglib.errors import OgErr, OgError

_SYS_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10
_LIBC = ctypes.CDLL(None, use_errno=True)
# openat2(2): EAGAIN when anything on the whole machine was renamed or mounted while ``..`` was
# resolved; the caller is to try again. It may go on, but not for ever.
_TRIES_AT_ONCE = 128
_TRY_PAUSE_S = 0.001
_TRY_LIMIT_S = 10.0
# What the tree says itself: there is nothing that a path leads to.
NOTHING_THERE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG))
_RESTLESS = "files are renamed or mounted on this PC without a pause"


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_inside(folder_fd: int, name: str, flags: int) -> int:
    """A descriptor of what ``name`` leads to inside the folder; OSError as ``os.open`` has it."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    tries, end = 0, time.monotonic() + _TRY_LIMIT_S
    while True:
        number, fd = _openat2(folder_fd, name, how)
        if fd >= 0:
            return fd
        if number not in (errno.EAGAIN, errno.EINTR):
            break
        tries += 1
        if tries >= _TRIES_AT_ONCE:
            if time.monotonic() > end:
                raise OSError(number, _RESTLESS, name)
            time.sleep(_TRY_PAUSE_S)
    if number == errno.ENOSYS:
        raise OgError(
            "This kernel has no openat2, so the files of a system cannot be changed safely.",
            hint="Boot an ogLive with Linux 5.6 or newer.",
            code=OgErr.NOTEXEC,
        )
    raise OSError(number, os.strerror(number), name)


def _openat2(root_fd: int, name: str, how: _OpenHow) -> tuple[int, int]:
    """The number of the error and the descriptor, which is negative where there is an error."""
    fd: int = _LIBC.syscall(
        ctypes.c_long(_SYS_OPENAT2),
        ctypes.c_int(root_fd),
        ctypes.c_char_p(os.fsencode(name)),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    return ctypes.get_errno(), fd
