# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks on disks and partitions that outlive the command which set them (``ogLockDisk``).

A lock is the file OpenGnsys' scripts know, ``/var/lock/lock-dev-sda1``; it holds the PID and the
start time of the script it belongs to. A lock whose holder is gone does not count and is removed
when met; one without a holder in it (made by hand, by ``touch``) counts until it is unlocked. A
locked disk counts as all its partitions locked. Every look and change happens under a ``flock`` of
the folder, so two commands never take the same lock.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oglib.disk.model import Disk, Partition
from oglib.errors import OgErr, OgError
from oglib.kernel.flocks import take
from oglib.partfile import stand_in

FOLDER = Path("/var/lock")
_START_FIELD = 22  # of /proc/PID/stat (proc(5)): clock ticks since the boot
_PARENT_FIELD = 4
_STATE_FIELD = 3


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock; ``pid`` 0 where the lock does not say."""

    pid: int
    start: int

    def describe(self) -> str:
        if not self.pid:
            return "somebody"
        return f"process {self.pid} ({_read(Path(f'/proc/{self.pid}/comm')).strip()})"


def lock_path(disk: Disk, part: Partition | None = None) -> Path:
    """The file of the lock; of an image file the partition is called ``p2``, as of ``nvme0n1``.

    A file has one lock by whatever name it is called, and a short one where its name is long.
    """
    name = str(disk.path.resolve() if disk.path.is_file() else disk.path.absolute())
    if part is not None:
        named = f"{name}{'p' if name[-1].isdigit() or disk.path.is_file() else ''}{part.number}"
        name = str(part.path or named)
    return FOLDER / f"lock{stand_in(name.replace('/', '-'))}"


def is_locked(disk: Disk, part: Partition | None = None) -> bool:
    """Whether a living holder has the partition or its disk; of a disk, the disk itself."""
    with guarded():
        return _holder(lock_path(disk)) is not None or (
            part is not None and _holder(lock_path(disk, part)) is not None
        )


def take_lock(disk: Disk, part: Partition | None = None, *, pid: int) -> None:
    """Lock for the process ``pid`` until it ends or ``drop_lock``; again by the same is no error.

    Raises LOCKED when another one has it, or has a part of it.
    """
    start = start_of(pid)
    if start is None:
        raise OgError(f"There is no process {pid} to hold a lock.", code=OgErr.LOCKED)
    with guarded():
        _refuse(disk, part, tolerated=(pid,))
        _write(lock_path(disk, part), f"{pid} {start}\n")


def drop_lock(disk: Disk, part: Partition | None = None) -> None:
    """Unlock, whoever holds it; no error when nobody does."""
    with guarded():
        lock_path(disk, part).unlink(missing_ok=True)


def refuse_locked(disk: Disk, part: Partition | None = None, *, own_counts: bool = False) -> None:
    """Raise LOCKED when another one has the partition or its disk; of a disk, any part of it.

    The scripts that this process runs for may hold it, unless ``own_counts``: some old commands
    always refused what was locked.
    """
    tolerated = (os.getpid(),) if own_counts else tuple(_ancestors(os.getpid()))
    with guarded():
        _refuse(disk, part, tolerated=tolerated)


@contextmanager
def held(disk: Disk, part: Partition | None = None, *, own_counts: bool = False) -> Iterator[None]:
    """Locked by this process for the length of a ``with`` block; raises as ``refuse_locked``.

    What a script of ours has locked already stays its lock.
    """
    own = os.getpid()
    tolerated = (own,) if own_counts else tuple(_ancestors(own))
    path = lock_path(disk, part)
    with guarded():
        _refuse(disk, part, tolerated=tolerated)
        mine = _holder(path) is None
        said = f"{own} {start_of(own)}\n"
        if mine:
            _write(path, said)
    try:
        yield
    finally:
        if mine:
            with guarded():
                if _read(path) == said:  # who unlocked it may have let another one take it
                    path.unlink(missing_ok=True)


def _refuse(disk: Disk, part: Partition | None, *, tolerated: tuple[int, ...]) -> None:
    asked: list[Partition | None] = [None]
    asked += [part] if part is not None else list(disk.partitions)
    for one in asked:
        holder = _holder(lock_path(disk, one))
        if holder is None or holder.pid in tolerated:
            continue
        what = f"Partition {one.number} of {disk.describe()}" if one else disk.describe()
        unlock = "ogUnlockPartition" if one else "ogUnlockDisk"
        raise OgError(
            f"{what} is locked by {holder.describe()}.",
            hint=f"Wait until it has finished, or unlock it by {unlock}.",
            code=OgErr.LOCKED,
        )


def _holder(path: Path) -> Holder | None:
    """The living holder of a lock; a lock whose holder is gone is removed."""
    if not path.exists():
        return None
    words = _read(path).split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return Holder(0, 0)
    pid, start = int(words[0]), int(words[1])
    if start_of(pid) == start:
        return Holder(pid, start)
    path.unlink(missing_ok=True)
    return None


def _write(path: Path, text: str) -> None:
    """At once: cut in the middle, an empty lock would stay, which nobody is known to hold."""
    new = path.with_name(f".{path.name}")
    new.write_text(text, encoding="ascii")
    new.replace(path)


@contextmanager
def guarded() -> Iterator[None]:
    """A block in which no other process of this PC looks at a lock or changes one."""
    folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        take(folder, fcntl.LOCK_EX, f"the locks in {FOLDER}")
        yield
    finally:
        os.close(folder)


def start_of(pid: int) -> int | None:
    """When the process began; None when it is gone (or only waits to be collected)."""
    fields = _stat(pid)
    if not fields or fields[_STATE_FIELD] in ("Z", "X"):
        return None
    return int(fields[_START_FIELD])


def _ancestors(pid: int) -> Iterator[int]:
    """The process itself and those that it runs for, up to the first one of the PC."""
    while pid > 1:
        yield pid
        fields = _stat(pid)
        pid = int(fields[_PARENT_FIELD]) if fields else 0


def _stat(pid: int) -> dict[int, str]:
    """Fields of /proc/PID/stat by their number from 3 on; the second may hold blanks."""
    text = _read(Path(f"/proc/{pid}/stat"))
    return dict(enumerate(text.rpartition(")")[2].split(), start=_STATE_FIELD))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):  # gone; of what is not, nothing is assumed
        return ""
