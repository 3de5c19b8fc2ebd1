# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that more than one program writes: a lock with an end, whole writes, bounded reads."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ognetboot.errors import NetbootError
from ognetboot.texts.written import give_away

# Another program holds the lock while it writes a tree, which takes seconds.
LONGEST_WAIT_S = 60.0
_STEP_S = 0.02


@contextmanager
def locked(path: Path, wait_s: float = LONGEST_WAIT_S) -> Iterator[None]:
    """Alone among all who take this lock file; the system frees it when its holder dies."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise refused(path, "written", error) from None
    try:
        give_away(path, path.parent)
        end = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise NetbootError(
                        f"another program has been changing what PCs start for {wait_s:.0f} s",
                        hint=f"wait for it, and try again; `fuser {path}` names it",
                    ) from None
                time.sleep(_STEP_S)
        yield
    finally:
        os.close(handle)


def read(path: Path, most_bytes: int) -> bytes | None:
    """The whole file; None: there is none. Anything but a plain file of that size is refused."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused(path, "read", error) from None
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise NetbootError(f"{path} is not a plain file", hint="move it away")
        try:
            content = stream.read(most_bytes + 1)
        except OSError as error:
            raise refused(path, "read", error) from None
    if len(content) > most_bytes:
        size = f"{most_bytes >> 20} MiB" if most_bytes >> 20 else f"{most_bytes >> 10} KiB"
        raise NetbootError(
            f"{path} is longer than {size}, and no more of a file is read",
            hint="see whether it is the file that is meant; one of ognetboot's is damaged",
        )
    return content


def write(path: Path, content: bytes, like: os.stat_result | None = None) -> None:
    """The file as a whole or as it was, also after a power cut; the caller holds its lock.

    `like`: with the owner and the rights of a person's file. Else servers without root read it,
    whatever the umask.
    """
    part = path.with_name(f".{path.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(part, flags, 0o644), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.chmod(0o644 if like is None else stat.S_IMODE(like.st_mode))
        if like is None or os.geteuid() != 0:
            give_away(part, path.parent)
        else:
            os.chown(part, like.st_uid, like.st_gid)
        part.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise refused(path, "written", error) from None


def refused(path: Path, what: str, error: OSError) -> NetbootError:
    """The error to raise; `what` is read or written."""
    return NetbootError(
        f"{path} cannot be {what}: {error.strerror}", hint="check rights and free space"
    )
