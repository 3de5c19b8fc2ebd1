# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an entry is made before anybody sees it: a folder that goes afterwards, or one that stays.

What takes hours to fetch stays when it is cut, under the key of what it shall become, and is taken
up again by it: ``NAME-KEY.kept``. One image is brought by one process at a time, and of one image
only what was begun last is kept.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from urllib.parse import quote, unquote

from oglib.cache import folder as disk
from oglib.cache.folder import Folder
from oglib.errors import OgErr, OgError, UsageError
from oglib.kernel.flocks import holders
from oglib.partfile import stand_in

_KEPT = ".kept"
_KEY = re.compile(r"[0-9a-f]{16,64}", re.ASCII)
_KEY_CHARS = 16


@dataclass(frozen=True, slots=True)
class Leftover:
    """What was begun and not finished: its image's name, and the space that it takes."""

    name: str
    path: Path
    size_bytes: int


@contextmanager
def staging_for(folder: Folder, name: str, key: str = "") -> Iterator[Path]:
    """A folder of our own, locked as long as we live, so that nobody tidies it away.

    ``key`` (hex): what it shall become. With one, the folder stays when the block fails, and is
    what an earlier run left. LOCKED where another process is at the same image.
    """
    with disk.locked(folder):
        staged = _kept(folder, name, key) if key else disk.new_place(folder.room("staging"), name)
        handle = _locked(staged, name)
        others = [path for path in _all_kept(folder, name) if path != staged] if key else []
    try:
        for other in others:
            disk.delete(other)
        try:
            yield staged
        except BaseException:
            if not key or not _holds_anything(staged):
                disk.delete(staged)
            raise
        disk.delete(staged)
    finally:
        os.close(handle)


def kept_place(folder: Folder, name: str, key: str) -> Path:
    """Where what was begun with this ``key`` is, if it is there."""
    if not _KEY.fullmatch(key):
        raise UsageError(f"{key!r} is not the digest of an image.")
    return folder.room("staging") / f"{_stem(name)}-{key[:_KEY_CHARS]}{_KEPT}"


def _kept(folder: Folder, name: str, key: str) -> Path:
    for path in _all_kept(folder, name):
        if disk.in_use(path):
            raise _busy(path, name)
    staged = kept_place(folder, name, key)
    if not staged.is_dir() or staged.is_symlink():
        disk.delete(staged)
        staged.mkdir()
    return staged


def _busy(path: Path, name: str) -> OgError:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        who = holders(handle)
    finally:
        os.close(handle)
    return OgError(
        f"{who[0].upper()}{who[1:]} is bringing {name} into the cache.",
        hint="Wait for its end, then run this again.",
        code=OgErr.LOCKED,
    )


def _locked(staged: Path, name: str) -> int:
    handle = disk.try_lock(staged, fcntl.LOCK_EX)
    if handle is None:
        raise _busy(staged, name)
    return handle


def _stem(name: str) -> str:
    return stand_in(quote(name, safe=""))


def _all_kept(folder: Folder, name: str) -> list[Path]:
    found = folder.room("staging").glob(f"{escape(_stem(name))}-*{_KEPT}")
    return sorted(path for path in found if _KEY.fullmatch(_key_of(path)))


def _key_of(path: Path) -> str:
    return path.name.removesuffix(_KEPT).rpartition("-")[2]


def is_kept(path: Path) -> bool:
    """Whether a folder of the staging room stays for a later run, as far as it has anything."""
    named = path.name.endswith(_KEPT) and _KEY.fullmatch(_key_of(path)) is not None
    return named and path.is_dir() and not path.is_symlink() and _holds_anything(path)


def _holds_anything(path: Path) -> bool:
    return any(part.is_file() and part.stat().st_size for part in path.rglob("*"))


def leftovers(folder: Folder) -> tuple[Leftover, ...]:
    """What was begun and nobody works on now."""
    found = []
    for path in sorted(folder.room("staging").iterdir()):
        if is_kept(path) and not disk.in_use(path):
            name = unquote(path.name.removesuffix(_KEPT).rpartition("-")[0])
            found.append(Leftover(name, path, _taken_bytes(path)))
    return tuple(found)


def _taken_bytes(path: Path) -> int:
    """The space that a tree takes."""
    return sum(part.lstat().st_blocks * 512 for part in path.rglob("*") if part.is_file())


def drop(folder: Folder, one: Leftover) -> bool:
    """Delete what was begun; False where somebody goes on with it at this moment."""
    with disk.locked(folder):
        if not one.path.is_dir() or disk.in_use(one.path):
            return False
        trash = disk.new_place(folder.room("trash"), one.name)
        disk.move(one.path, trash / one.path.name)
        disk.sync(one.path.parent)
    disk.delete(trash)
    return True
