# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is: commands that look for, mount, use and unmount the cache at the same time.

The gate is held for the moments in which the cache is looked for, mounted, unmounted, checked or
formatted; whoever works in the mounted cache holds a share of the second lock, and its root open,
which keeps everybody's ``umount`` away. Who leaves last unmounts what was mounted for the work
alone. Both locks are the kernel's and end with the process. Every wait has an end and says for
whom it is.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from oglib.disk.probing.instead import instead_of_disks
from oglib.errors import FilesystemError, OgErr, OgError, WriteError
from oglib.kernel.flocks import holders, taken
from oglib.kernel.loops import storage_of

FOLDER = Path("/run/oglive")
# Whoever has the gate may be repairing a large filesystem.
GATE_PATIENCE_S = 900.0
# Whoever works in the cache may be fetching for hours: that is not waited for.
USERS_PATIENCE_S = 60.0
_TOLD_AFTER_S = 1.0
_STEP_S = 0.05
_MARK_BYTES = 4096
_NEXT = "next"

Tell = Callable[[Sequence[str]], None]


def silent(_facts: Sequence[str]) -> None:
    """For callers without anybody to tell."""


@dataclass(slots=True)
class User:
    """One who works in the mounted cache; made by ``Turn.enter``, ended by ``leave``."""

    point: Path
    share: int
    root: int

    def leave(self) -> None:
        """Let the cache go; others may unmount or format it from now on."""
        self.release_root()
        if self.share >= 0:
            os.close(self.share)
        self.share = -1

    def release_root(self) -> None:
        if self.root >= 0:
            os.close(self.root)
        self.root = -1


class Turn:
    """The gate, held: nobody else mounts, unmounts or formats the cache meanwhile."""

    def __init__(self, users: int, tell: Tell) -> None:
        self._users = users
        self._tell = tell

    def enter(self, point: Path) -> User:
        """Begin to work in the cache that is mounted at ``point``."""
        root = opened_root(point)
        try:
            # a description of its own: that of the gate ends with the gate
            share = _opened("cache.users")
        except BaseException:
            os.close(root)
            raise
        fcntl.flock(self._users, fcntl.LOCK_UN)  # ``is_alone`` may have it
        fcntl.flock(share, fcntl.LOCK_SH)  # only who has the gate ever takes it alone
        return User(point, share, root)

    def is_alone(self, user: User | None = None) -> bool:
        """Whether nobody (else) works in the cache; with True nobody can begin to, either."""
        handle = user.share if user else self._users
        alone = taken(handle, fcntl.LOCK_EX)
        if not alone and user:
            # it is lost by the try; nobody takes it alone without the gate, which is ours
            fcntl.flock(handle, fcntl.LOCK_SH)
        return alone

    def wait_alone(self, user: User | None = None) -> None:
        """Wait until nobody (else) works in the cache; LOCKED, naming who does, at the end."""
        _wait(
            lambda: self.is_alone(user), self._users, "works in the cache",
            USERS_PATIENCE_S, self._tell,
        )  # fmt: skip

    def share_again(self, user: User) -> None:
        """After ``is_alone`` or ``wait_alone``: go on among others, in what is mounted now."""
        fcntl.flock(user.share, fcntl.LOCK_SH)
        user.release_root()
        user.root = opened_root(user.point)

    def mark(self, point: Path) -> None:
        """What is mounted at ``point`` is there for the work alone: who leaves last unmounts it."""
        root = opened_root(point)
        try:
            text = f"{_mount_id(root)} {point}"
        finally:
            os.close(root)
        self._write(text)

    def mark_next(self, point: Path) -> None:
        """As ``mark``, before the mount: who is killed between the two leaves it marked too."""
        self._write(f"{_NEXT} {point}")

    def unmark(self) -> None:
        """What is mounted stays."""
        self._write("")

    def is_marked(self, point: Path) -> bool:
        """Whether what is mounted at ``point`` is what was marked: not a person's mount since."""
        text = os.fsdecode(os.pread(self._users, _MARK_BYTES, 0))
        number, _, where = text.partition(" ")
        if not number or where != str(point):
            return False
        try:
            root = opened_root(point)
        except OgError:
            return False
        try:
            return number in (_NEXT, _mount_id(root))
        finally:
            os.close(root)

    def _write(self, text: str) -> None:
        try:
            os.ftruncate(self._users, 0)
            os.pwrite(self._users, os.fsencode(text), 0)
        except OSError as error:
            raise _unusable(error) from error


@contextmanager
def gate(tell: Tell = silent) -> Iterator[Turn]:
    """The moment in which this process alone looks for, mounts, unmounts or formats the cache.

    Not to be entered twice by one process. Raises LOCKED, naming who has it, after
    ``GATE_PATIENCE_S``.
    """
    handle = _opened("cache.lock")
    try:
        users = _opened("cache.users")
        try:
            _wait(
                lambda: taken(handle, fcntl.LOCK_EX), handle, "mounts, checks or formats the cache",
                GATE_PATIENCE_S, tell,
            )  # fmt: skip
            yield Turn(users, tell)
        finally:
            os.close(users)
    finally:
        os.close(handle)


def opened_root(point: Path) -> int:
    """The root of the cache's filesystem, open; raises where nothing is mounted at ``point``.

    The folder under a mountpoint lies in the memory of the PC: it is never taken for the cache.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(point, flags)
    except OSError as error:
        raise FilesystemError(
            f"The cache at {point} cannot be opened: {error.strerror}.", code=OgErr.CACHE
        ) from error
    if os.fstat(handle).st_dev == os.stat("..", dir_fd=handle).st_dev:
        os.close(handle)
        raise FilesystemError(
            f"Nothing is mounted at {point}, so what is there is not the cache.",
            hint="Somebody unmounted it meanwhile; run this again.",
            code=OgErr.CACHE,
        )
    return handle


def refuse_unmounted(point: Path) -> None:
    """As ``opened_root``, for whoever has the gate: nobody unmounts it meanwhile."""
    os.close(opened_root(point))


def _mount_id(handle: int) -> str:
    """The kernel's number of the mount, which no other mount has at the same time."""
    said = Path(f"/proc/self/fdinfo/{handle}").read_text()
    found = re.search(r"^mnt_id:\s*(\d+)$", said, re.MULTILINE)
    return found[1] if found else ""


def _opened(name: str) -> int:
    """A lock's file; disk images that stand for the disks have locks of their own."""
    disks = sorted(str(storage_of(path)) for path in instead_of_disks())
    own = f"-{blake3(' '.join(disks).encode()).hexdigest()[:16]}" if disks else ""
    path = FOLDER / f"{name}{own}"
    try:
        FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise _unusable(error) from error


def _unusable(error: OSError) -> WriteError:
    return WriteError(
        f"The locks of the cache in {FOLDER} cannot be used: {error.strerror}.",
        hint="Work with the cache as root.",
    )


def _wait(got: Callable[[], bool], handle: int, does: str, patience_s: float, tell: Tell) -> None:
    began, told = time.monotonic(), False
    while not got():
        waited = time.monotonic() - began
        if waited > patience_s:
            who = holders(handle)
            raise OgError(
                f"{who[0].upper()}{who[1:]} {does}, since more than {patience_s:.0f} seconds.",
                hint="Wait for its end, then run this again.",
                code=OgErr.LOCKED,
            )
        if waited > _TOLD_AFTER_S and not told:
            tell((f"waiting: {holders(handle)} {does}",))
            told = True
        time.sleep(_STEP_S)
