# SPDX-License-Identifier: GPL-3.0-or-later
"""A device or disk file for this process alone: the one way to take it.

The kernel's exclusive open keeps off mounts, swap, RAID and LVM, and is refused where one of them
is there; a lock keeps off udev and other programs of ours. Of a regular file the lock is all there
is, and whoever uses it through a loop device is for the caller to look at (``loops``).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.errors import OgErr, OgError, WriteError
from oglib.kernel.flocks import take
from oglib.partfile import is_at

PATIENCE_S = 20.0  # udev and its like lock a device while they look at it, and let it go
_MOST_TRIES = 10


@contextmanager
def claimed(path: Path, *, write: bool, exclusive: bool = True) -> Iterator[int]:
    """An open descriptor of ``path`` that is ours; LOCKED where it is somebody else's.

    ``exclusive`` False leaves the kernel's claim to a program that is started meanwhile.
    """
    fd = _opened(Path(os.path.realpath(path)), write=write, exclusive=exclusive)
    try:
        yield fd
    finally:
        os.close(fd)


def _opened(path: Path, *, write: bool, exclusive: bool) -> int:
    """Open and locked, and still what ``path`` names: a file may be replaced between the two."""
    flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(_MOST_TRIES):
        try:
            is_block = stat.S_ISBLK(path.stat().st_mode)
            fd = os.open(path, flags | (os.O_EXCL if is_block and exclusive else 0))
        except OSError as error:
            raise _not_opened(path, error) from error
        try:
            take(fd, fcntl.LOCK_EX, str(path), patience_s=PATIENCE_S if is_block else 0.0)
            if is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
    raise OgError(
        f"{path} is replaced again and again by another program.",
        hint="Stop it, and run this again.",
        code=OgErr.LOCKED,
    )


def _not_opened(path: Path, error: OSError) -> OgError:
    if error.errno != errno.EBUSY:
        return WriteError(f"{path} cannot be opened: {error.strerror}.")
    mounted = _mount_point(path)
    return OgError(
        f"{path} is in use{f': mounted on {mounted}' if mounted else ''}.",
        hint="Unmount it, or stop what uses it (swap, LVM, RAID), and run this again.",
        code=OgErr.LOCKED,
    )


def _mount_point(path: Path) -> str:
    number = path.stat().st_rdev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        words = line.split(" ")
        if words[2] == wanted:
            return words[4]
    return ""
