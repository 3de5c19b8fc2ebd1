# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file is finished: its size and stamps rested, and nobody has it open for writing.

A writer is found in two ways, for neither finds all: the kernel gives no read lease of a file that
is open for writing on this machine (also by a daemon of another user), and ``/proc`` tells of the
processes that this user may look into. Who writes over the network from elsewhere is seen by the
stamps alone, which is why they must rest as well. Nothing is kept: a lease is given back at once.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_WRITING = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True, slots=True)
class Stamps:
    """What is another when a file was written, replaced or renamed."""

    device: int
    inode: int
    size: int
    changed_ns: int
    written_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamps:
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns, status.st_mtime_ns
        )


def stamps_of(path: Path) -> Stamps | None:
    """Those of a regular file; None where there is none. ``OSError`` where that cannot be said."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamps.of(status) if stat.S_ISREG(status.st_mode) else None


def has_writer(path: Path, *, lease: bool = True) -> bool:
    """Whether a process of this machine is known to have it open for writing.

    ``lease`` False: only looked for in ``/proc``, for a file that is not ours to ask leases of.
    """
    if lease and _lease_refused(path):
        return True
    return any(_is_open_in(path.stat(), process) for process in _processes())


def _lease_refused(path: Path) -> bool:
    """Whether the kernel says that it is being written; False too where it gives no leases."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # another's file, or a filesystem without leases
    finally:
        os.close(handle)
    return False


def _processes() -> Iterator[Path]:
    for path in _PROC.iterdir():
        if path.name.isdecimal():
            yield path


def _is_open_in(status: os.stat_result, process: Path) -> bool:
    """Whether this process has the file open for writing; one that may not be looked into: no."""
    try:
        handles = list((process / "fd").iterdir())
    except OSError:
        return False
    for handle in handles:
        try:
            there = handle.stat()
            if (there.st_dev, there.st_ino) != (status.st_dev, status.st_ino):
                continue
            if _flags(process / "fdinfo" / handle.name) & _WRITING:
                return True
        except (OSError, ValueError):
            continue  # it was closed meanwhile
    return False


def _flags(info: Path) -> int:
    for line in info.read_text().splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    return 0


@dataclass(slots=True)
class _Seen:
    stamps: tuple[Stamps, ...]
    since: float


class Rested:
    """Remembers since when each thing has its stamps; ``rest_s`` is how long they must rest.

    Time is that of ``time.monotonic``, given by the caller: a clock that is set finishes no file.
    """

    def __init__(self, rest_s: float) -> None:
        self._rest_s = rest_s
        self._seen: dict[Path, _Seen] = {}

    def look(self, path: Path, stamps: tuple[Stamps, ...], now: float) -> bool:
        """Whether what ``path`` stands for has rested, as of now."""
        seen = self._seen.get(path)
        if seen is None or seen.stamps != stamps:
            self._seen[path] = _Seen(stamps, now)
            return self._rest_s <= 0
        return now - seen.since >= self._rest_s

    def keep_only(self, paths: set[Path]) -> None:
        """Forget what is not there any more."""
        for gone in self._seen.keys() - paths:
            del self._seen[gone]
