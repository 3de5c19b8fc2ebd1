# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the store keeps things, and the few operations that a power cut must not tear.

``opt/opengnsys/images`` is what older ogLives read. ``.oglive`` is ours: ``staging`` holds what
is being written, ``ready`` what is complete and on its way to its place, ``trash`` what is
being deleted, ``entries`` a record per entry, ``state`` its pin and its last use, ``versions`` the
last version that this PC had of an image, whether it is stored here or not.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from oglib import durable, limits
from oglib.errors import OgErr, OgError, UsageError, WriteError
from oglib.kernel.flocks import take, taken
from oglib.partfile import stand_in
from oglib.settings import NAME_PART

IMAGES = Path("opt/opengnsys/images")
PRIVATE = Path(".oglive")
_ROOMS = ("staging", "ready", "trash", "entries", "state", "versions")


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths of one store; made by ``open_folder``."""

    root: Path

    @property
    def images(self) -> Path:
        return self.root / IMAGES

    def room(self, name: str) -> Path:
        return self.root / PRIVATE / name

    def record(self, head: str) -> Path:
        """The record of the entry whose head is ``images/HEAD``."""
        return self.room("entries") / f"{quote(head, safe='')}.json"

    def state(self, head: str) -> Path:
        return self.room("state") / f"{quote(head, safe='')}.json"

    def version(self, name: str) -> Path:
        """What is remembered of the image ``name``."""
        return self.room("versions") / stand_in(quote(name, safe=""))

    def free_bytes(self) -> int:
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize

    def size_bytes(self) -> int:
        """What an empty store on this filesystem could hold, about."""
        found = os.statvfs(self.root)
        return (found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize


def open_folder(root: Path) -> Folder:
    """The store on the filesystem mounted at ``root``; its folders are made where missing."""
    folder = Folder(root)
    _refuse_links(root, [IMAGES, *(PRIVATE / name for name in (*_ROOMS, "lock"))])
    try:
        make_folders(folder.images, root)
        for name in _ROOMS:
            make_folders(folder.room(name), root)
    except OSError as error:
        raise WriteError(
            f"The cache at {root} cannot be written: {error.strerror}.",
            hint="Check its filesystem (`og cache check`), or format it.",
        ) from error
    return folder


def _refuse_links(root: Path, paths: list[Path]) -> None:
    """A cache lies on a disk that others write: a link would lead out of it."""
    for path in paths:
        for part in (path, *path.parents[:-1]):
            if (root / part).is_symlink():
                raise WriteError(
                    f"{root / part} is a link, so this cache is not used.",
                    hint="Replace it by a folder, or format the cache.",
                )


def checked_name(name: str) -> str:
    """``name`` itself when an image can have it; ``/`` separates folders."""
    parts = name.split("/")
    if (
        len(name) > limits.NAME_CHARACTERS
        or not all(NAME_PART.fullmatch(part) for part in parts)
        or any(".img" in part for part in parts)
    ):
        raise UsageError(
            f"{name!r} cannot be the name of an image in the cache.",
            hint="Give the name alone, without .img: letters, digits, dots, dashes, underscores.",
        )
    return name


def make_folders(path: Path, above: Path) -> None:
    """Make ``path`` and what is missing between it and ``above``, durably."""
    missing = [path]
    while missing[-1].parent != above and not missing[-1].parent.is_dir():
        missing.append(missing[-1].parent)
    for part in reversed(missing):
        if not part.is_dir():
            part.mkdir()
            sync(part.parent)


def new_place(room: Path, head: str) -> Path:
    """A fresh folder in ``room`` that belongs to the entry ``head``."""
    place = unused_place(room, head)
    place.mkdir()
    return place


def unused_place(room: Path, head: str) -> Path:
    """The path of one, which is not there yet."""
    return room / f"{quote(head, safe='')[:100]}-{secrets.token_hex(4)}"


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk; on the cache no link is followed."""
    durable.sync(path, follow=False)


def sync_tree(path: Path) -> None:
    """Everything below ``path``; later reads of its files come from the disk."""
    for where, _, names in os.walk(path, topdown=False):
        for name in names:
            durable.sync(Path(where, name), follow=False, forget=True)
        sync(Path(where))


def move(source: Path, target: Path) -> None:
    """Rename within the filesystem; durable once both folders are synced."""
    source.rename(target)


def delete(path: Path) -> None:
    """Delete a file or a tree; what another process deletes meanwhile is no failure."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file that is afterwards there whole or as it was, also after a power cut."""
    delete(path.with_name(f".{path.name}.part"))  # a folder, even, that somebody put there
    durable.write_whole(path, data)


@contextmanager
def locked(folder: Folder, *, shared: bool = False) -> Iterator[None]:
    """The store's own lock, held for moments; the kernel releases it with the process."""
    with (folder.root / PRIVATE / "lock").open("ab") as file:
        take(
            file.fileno(), fcntl.LOCK_SH if shared else fcntl.LOCK_EX, "the cache's list of images"
        )
        yield


def try_lock(path: Path, kind: int) -> int | None:
    """An open, locked handle of a file or folder; None when another process holds it."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if taken(handle, kind):
            return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def lock_shared(path: Path) -> int:
    """An open handle that keeps an entry from being evicted; waits while somebody looks at it.

    Raises LOCKED, naming who does, where that goes on for a minute.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        take(handle, fcntl.LOCK_SH, f"{path.name} in the cache")
    except BaseException:
        os.close(handle)
        raise
    return handle


def in_use(path: Path) -> bool:
    """Whether somebody restores from this entry (or writes this staged one) right now."""
    handle = try_lock(path, fcntl.LOCK_EX)
    if handle is None:
        return True
    os.close(handle)
    return False


@contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """What the system refuses, as an error of ours; a full disk has a number of its own."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind = OgError if full else WriteError
        raise kind(
            f"{what} failed: {error.strerror or error}.",
            hint="Evict something (`og cache evict --need SIZE`)."
            if full
            else "Check the cache with `og cache check`; its disk may be failing.",
            code=OgErr.CACHESIZE if full else OgErr.NOTWRITE,
        ) from error
