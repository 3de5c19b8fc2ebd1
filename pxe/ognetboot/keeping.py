# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that more than one program writes: a lock with an end, whole writes, bounded reads."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from ognetboot.errors import NetbootError

# Another program holds the lock while it writes a tree, which takes seconds.
LONGEST_WAIT_S = 60.0
_STEP_S = 0.02
_LOCK_MODE = 0o600


def beside(inventory: Path, ending: str, *, hidden: bool = False) -> Path:
    """`classroom.toml`, `history` → `classroom.history` in the folder of the file itself.

    The only place that names what is kept beside an inventory. Two inventories of one folder never
    share it, for all of them end alike; nor do a link and the inventory that it leads to.
    """
    path = Path(os.path.realpath(inventory))
    if path.suffix != ".toml":
        raise NetbootError(
            f"{path}: the name of an inventory ends in .toml, or what is kept beside it could be "
            "another one's",
            hint="rename it",
        )
    return path.with_name(f"{'.' if hidden else ''}{path.stem}.{ending}")


class StoppedError(NetbootError):
    """This program was told to stop while it waited for another one."""


# Set by who stops; whoever waits for a lock in its context, or in a thread of it, waits no longer.
_stopping: ContextVar[threading.Event | None] = ContextVar("stopping", default=None)


def wait_no_longer_than(stopping: threading.Event) -> None:
    """From here on no lock is waited for in this context once `stopping` is set."""
    _stopping.set(stopping)


@contextmanager
def locked(path: Path, wait_s: float = LONGEST_WAIT_S, *, shared: bool = False) -> Iterator[None]:
    """Alone among all who take this lock file, or together with those to whom it is `shared`; the
    system frees it when its holder dies."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    handle = lock_file(path)
    stopping = _stopping.get()
    try:
        end = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise NetbootError(
                        f"another program has held {path} for {wait_s:.0f} s",
                        hint=f"wait for it, and try again; `fuser {path}` names it",
                    ) from None
                if stopping is not None and stopping.is_set():
                    raise StoppedError(
                        f"another program holds {path}, and this one is to stop",
                        hint="what it would have written is as it was",
                    ) from None
                time.sleep(_STEP_S)
        yield
    finally:
        os.close(handle)


def lock_file(path: Path) -> int:
    """A handle of that file, which is made where there is none. Whoever may open a lock may hold
    it, and so stop all others: it is its owner's alone."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, _LOCK_MODE)
        except FileExistsError:
            handle = os.open(path, flags)
        try:
            refuse_second_name(handle, path)
            _own(handle, path.parent.stat(), _LOCK_MODE)
        except BaseException:
            os.close(handle)
            raise
    except OSError as error:
        raise refused(path, "written", error) from None
    return handle


def _own(handle: int, owner: os.stat_result, mode: int) -> None:
    """These rights, and that owner where root may give it away. By the handle: what stands under
    the name may be another file by now."""
    status = os.fstat(handle)
    if os.geteuid() == 0:
        os.fchown(handle, owner.st_uid, owner.st_gid)
    if stat.S_IMODE(status.st_mode) != mode and os.geteuid() in (0, status.st_uid):
        os.fchmod(handle, mode)


def content(path: Path, most_bytes: int) -> bytes:
    """What a plain file holds, at most one byte more than `most_bytes`; anything else is an
    OSError: a pipe has no end."""
    with opened(path) as stream:
        return stream.read(most_bytes + 1)


def opened(path: Path) -> BinaryIO:
    """A plain file from its beginning; anything else is an OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        kind = stat.S_IFMT(os.fstat(handle).st_mode)
        if kind == stat.S_IFDIR:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if kind != stat.S_IFREG:
            raise OSError(errno.EINVAL, "it is not a plain file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read(path: Path, most_bytes: int) -> bytes | None:
    """The whole file; None: there is none. Anything but a plain file of that size is refused."""
    try:
        found = content(path, most_bytes)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused(path, "read", error) from None
    if len(found) > most_bytes:
        size = f"{most_bytes >> 20} MiB" if most_bytes >> 20 else f"{most_bytes >> 10} KiB"
        raise NetbootError(
            f"{path} is longer than {size}, and no more of a file is read",
            hint="see whether it is the file that is meant; one of ognetboot's is damaged",
        )
    return found


def write(
    path: Path,
    content: bytes,
    like: os.stat_result | None = None,
    *,
    mode: int = 0o644,
    durable: bool = True,
) -> None:
    """The file as a whole or as it was, also after a power cut where it is `durable`.

    `like`: with the owner and the rights of a person's file. Else with `mode`, whatever the umask:
    servers without root read it.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        part.unlink(missing_ok=True)
        handle = os.open(part, flags, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                rights = mode if like is None else stat.S_IMODE(like.st_mode)
                _own(handle, like or path.parent.stat(), rights)
                stream.write(content)
                stream.flush()
                if durable:
                    os.fsync(handle)
            part.rename(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        if durable:
            _sync(path.parent)
    except OSError as error:
        raise refused(path, "written", error) from None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_away(path: Path, above: Path) -> None:
    """What root writes into another user's folder is that user's, who will write it anew."""
    if os.geteuid() != 0:
        return
    owner = above.stat()
    if path.is_symlink():
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        return
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        refuse_second_name(handle, path)
        os.fchown(handle, owner.st_uid, owner.st_gid)
    finally:
        os.close(handle)


def refuse_second_name(handle: int, path: Path) -> None:
    """What is somebody else's under another name would be given away with it."""
    status = os.fstat(handle)
    if not stat.S_ISDIR(status.st_mode) and (
        not stat.S_ISREG(status.st_mode) or status.st_nlink != 1
    ):
        raise OSError(errno.EINVAL, "it is not a plain file with one name", str(path))


def refused(path: Path, what: str, error: OSError) -> NetbootError:
    """The error to raise; `what` is read or written."""
    return NetbootError(
        f"{path} cannot be {what}: {error.strerror}", hint="check rights and free space"
    )
