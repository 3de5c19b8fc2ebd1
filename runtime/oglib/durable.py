# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that are there whole or not at all, whatever is cut when: the one way to write them.

A file's content is lasting after ``settle``; its name only after its folder was synced too. Errors
are the system's own (``OSError``): the caller knows what was to be written, and says it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def sync(path: Path, *, follow: bool = True, forget: bool = False) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    ``follow`` False: a link is refused, where a stranger may have put it. ``forget``: later reads
    come from the disk itself.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        os.fsync(handle)
        if forget:
            _forget(handle)
    finally:
        os.close(handle)


def settle(file: BinaryIO, *, forget: bool = False) -> None:
    """What was written to an open file is on the disk; ``forget`` as in ``sync``."""
    file.flush()
    os.fsync(file.fileno())
    if forget:
        _forget(file.fileno())


def _forget(descriptor: int) -> None:
    """Drop the kernel's copy of what is on the disk."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def store(
    path: Path,
    data: bytes,
    *,
    new: bool = False,
    mode: int = 0o644,
    made: Callable[[int], None] | None = None,
) -> None:
    """Write a file whose name nobody reads yet. ``new``: ``FileExistsError`` where there is one.

    ``made`` is given the descriptor of the file while it is empty: it may change its owner.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    flags |= os.O_EXCL | os.O_NOFOLLOW if new else os.O_TRUNC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        if made is not None:
            made(file.fileno())
        file.write(data)
        settle(file)


def show(part: Path, path: Path) -> None:
    """Give what is whole and on the disk its own name, in place of what had it.

    FAT has no journal and keeps a file's place in its name: there a rename is lasting once the file
    was synced under the new name, and what had the name is let go only then, for its place would be
    given away while the old name may still be the one on the disk.
    """
    old = -1
    with suppress(OSError):
        old = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        part.replace(path)
        sync(path, follow=False)
        sync(path.parent)
    finally:
        if old >= 0:
            os.close(old)


def write_whole(
    path: Path, data: bytes, *, mode: int = 0o644, made: Callable[[int], None] | None = None
) -> None:
    """Put ``data`` in place of ``path``: after a power cut the old or the new content is there."""
    part = path.with_name(f".{path.name}.part")
    with suppress(FileNotFoundError):
        part.unlink()  # of a run that was cut; a link that somebody put there is not followed
    try:
        store(part, data, new=True, mode=mode, made=made)
        show(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
