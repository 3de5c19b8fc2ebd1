# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written under a name of its own until it is whole: made, locked, and let go in order.

Another process may rename or remove such a file between our opening it and our locking it: the
lock would be on a finished image, or on nothing that has a name. So after locking the two are
compared, and when it is given up the name goes before the lock does.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from oglib.errors import WriteError

_MOST_TRIES = 10
_NOBODY_S = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def locked(path: Path, opened: Callable[[], int]) -> int | None:
    """A locked handle of what is at ``path``, which ``opened`` opens, and makes where it must.

    None: another process has it, or it goes again each time that it was locked. Raises what
    ``opened`` raises. The lock ends with the handle.
    """
    for _ in range(_MOST_TRIES):
        handle = opened()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(handle, path):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    return None


def is_at(handle: int, path: Path) -> bool:
    """Whether an open file or folder is still what ``path`` names; links are not followed."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def new_file(path: Path) -> Callable[[], int]:
    """Opens the file at ``path`` for reading and writing, and makes it where it is not there."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return lambda: os.open(path, flags, 0o644)


def beside(path: Path, suffix: str) -> Path:
    """The file whose name is that of ``path`` and ``suffix``."""
    return path.with_name(path.name + suffix)


def is_there(path: Path) -> bool:
    """Whether there is anything at ``path``; a name longer than can be is nobody's."""
    try:
        path.stat()
    except OSError as error:
        if error.errno in _NOBODY_S:
            return False
        raise
    return True


def stand_in(name: str, most: int = 200) -> str:
    """``name``, or a short one made of its digest where it has more than ``most`` bytes."""
    raw = os.fsencode(name)
    if len(raw) <= most:
        return name
    from blake3 import blake3  # noqa: PLC0415 - for the rare name; a lock's needs none

    return blake3(raw).hexdigest()[:32]


def refuse_long(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise unless ``path`` with each of ``suffixes`` is a name that its folder can hold.

    For before the first byte: a companion that has no place would be found missing at the end.
    """
    longest = max(suffixes, key=len)
    most = _name_bytes(path.parent)
    over = len(os.fsencode(path.name + longest)) - most
    if over > 0:
        raise WriteError(
            f"The name {path.name} is too long: with {longest} behind it, which a file beside it "
            f"is called by, it has {over} bytes more than the {most} that {path.parent} allows.",
            hint="Choose a shorter name.",
        )


def _name_bytes(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return 255  # what nearly every filesystem has
