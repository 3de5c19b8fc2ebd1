# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that others wrote, read with a limit; and what of their text is told to a person.

Whoever reads a text of an image, a disk, a share or a server has a limit for it before the first
byte. A mounted system is read through ``osconfig.root``, a folder image through its
``folder_model``; both read here, as does everything else that is opened by its path.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from oglib.errors import OgError

SMALL_BYTES = 1 << 20  # a text that a person could have written
_MOST_CHARS = 200  # of one word or value that is told
_MOST_CHANGES = 20
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TooLargeError(OgError):
    """A file holds more than anything of its kind can."""


class NotPlainError(OgError):
    """What has the name of a file is a folder, a pipe, a device, or a link where none may be."""


def read_whole(path: Path, limit_bytes: int = SMALL_BYTES, *, follow: bool = True) -> bytes:
    """The whole of a regular file that has at most ``limit_bytes``.

    ``follow``: whether the name itself may be a link. Raises what ``open`` raises (an OSError, of
    which FileNotFoundError means that there is none), TooLargeError or NotPlainError.
    """
    with open_plain(path, follow=follow) as file:
        raw = file.read(limit_bytes + 1)
    if len(raw) > limit_bytes:
        raise TooLargeError(
            f"{path} has more than {limit_bytes} bytes, so it is not what it should be."
        )
    return raw


def open_plain(path: Path, *, follow: bool = True, folder_fd: int | None = None) -> BinaryIO:
    """A regular file, open for reading; a pipe or a device of that name is never waited for.

    ``folder_fd``: the folder that a relative path is in.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        opened = os.open(path, flags, dir_fd=folder_fd)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise NotPlainError(f"{path} is a link, which is not followed.") from error
        raise
    try:
        file = os.fdopen(opened, "rb")
    except IsADirectoryError:
        os.close(opened)  # which nobody else does then
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        file.close()
        raise NotPlainError(f"{path} is not a regular file.")
    return file


def open_straight(path: Path) -> BinaryIO:
    """As ``open_plain``, by an absolute path of which no part is a link."""
    opened = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    way = [path.root]
    try:
        for part in path.parts[1:-1]:
            way.append(part)
            inner = os.open(part, _FOLDER, dir_fd=opened)
            os.close(opened)
            opened = inner
        return open_plain(Path(path.name), follow=False, folder_fd=opened)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NotPlainError(f"{Path(*way)} is a link, which is not followed.") from error
        raise
    finally:
        os.close(opened)


def shortened(text: str, most: int = _MOST_CHARS) -> str:
    """``text``, or its beginning where it is longer than anybody reads."""
    return text if len(text) <= most else f"{text[:most]}…"


def joined(changes: Sequence[str], between: str = "; ") -> str:
    """Sentences about what changed in a text: the first ones, and how many more there are."""
    more = len(changes) - _MOST_CHANGES
    return between.join(changes[:_MOST_CHANGES]) + (f"{between}and {more} more" if more > 0 else "")
