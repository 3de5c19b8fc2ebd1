# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways of the trash, each decided by one rename and then brought to its end, cut or not.

An image goes when its entry, which holds all of it, stands in ``private/removing/`` under its name:
then what is shown of it vanishes, what says that it is there first, and the entry becomes one of
the trash. It comes back when its entry stands in ``private/returning/``: its files get their names
again, what shows it last. Only files that are the entry's own are taken away, and nothing that is
there is replaced.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

from oglib.durable import sync
from oglib.image.format.disk_manifest import DISK_FILE
from ogrepo.library.folder import BYTES, VERSIONS, Folder, make_shown, walk
from ogrepo.library.moving.entries import next_id

REMOVING, RETURNING = "removing", "returning"
_GONE = "gone"
SHOWN = "images"
_SAYS = ".json"


def finish_going(folder: Folder, name: str) -> None:
    """End what was decided about this name; the caller has its turn."""
    entry = folder.record(REMOVING, name)
    if entry.exists():
        _remove(folder, entry)
        entry.replace(folder.trash / next_id(folder, name))
        sync(folder.trash)
        sync(entry.parent)
    entry = folder.record(RETURNING, name)
    if entry.exists():
        _give_back(folder, entry)
        shutil.rmtree(entry)
        sync(entry.parent)


def undone(folder: Folder) -> list[str]:
    """The names of which something was decided and not brought to its end."""
    kinds = (folder.private / kind for kind in (REMOVING, RETURNING))
    return [unquote(path.name) for kind in kinds for path in kind.iterdir()]


def decide(folder: Folder, kind: str, name: str, entry: Path) -> None:
    """Put ``entry`` where ``finish_going`` finds it; from now on it will be done."""
    target = folder.record(kind, name)
    sync(entry)
    entry.rename(target)
    sync(target.parent)
    sync(entry.parent)


def _remove(folder: Folder, entry: Path) -> None:
    for disk in _disks(entry):
        _take_disk(folder, entry, disk)
    _take(folder, entry, _files(entry, SHOWN))
    kept = _files(entry, VERSIONS)
    _take(folder, entry, kept)
    for above in {folder.root / path.parent for path in kept}:
        _drop_empty(above, folder.versions)


def _disks(entry: Path) -> list[Path]:
    """The folders of disks, as paths below the repository."""
    return [at.relative_to(entry) for at, names in walk(entry / SHOWN) if DISK_FILE in names]


def _files(entry: Path, room: str) -> list[Path]:
    """The same for its files, those of disks as well."""
    found = (at / name for at, names in walk(entry / room) for name in names)
    return sorted(path.relative_to(entry) for path in found)


def _take_disk(folder: Folder, entry: Path, disk: Path) -> None:
    """A disk goes as a whole, as it came."""
    there, gone = folder.root / disk, entry / _GONE
    shutil.rmtree(gone, ignore_errors=True)
    if _is_same(there / DISK_FILE, entry / disk / DISK_FILE):
        there.rename(gone)
        sync(there.parent)
        shutil.rmtree(gone, ignore_errors=True)


def _take(folder: Folder, entry: Path, paths: Sequence[Path]) -> None:
    """Remove these where they are the entry's files; what says that they are there goes first."""
    for group in _manifests_last(paths)[::-1]:
        taken = [folder.root / one for one in group if _is_same(folder.root / one, entry / one)]
        for path in taken:
            path.unlink()
        _sync_all({path.parent for path in taken})


def _give_back(folder: Folder, entry: Path) -> None:
    for digest in _files(entry, BYTES):
        _link(entry / digest, folder.root / digest)
    sync(folder.bytes)
    _put(folder, entry, _files(entry, VERSIONS), folder.versions)
    for disk in _disks(entry):
        there = folder.root / disk
        if not there.exists():
            make_shown(there.parent, folder.images)
            (entry / disk).rename(there)
            sync(there.parent)
    inside = tuple(_disks(entry))
    shown = [path for path in _files(entry, SHOWN) if path.parent not in inside]
    _put(folder, entry, shown, folder.images)


def _put(folder: Folder, entry: Path, paths: Sequence[Path], like: Path) -> None:
    for group in _manifests_last(paths):
        for path in group:
            make_shown((folder.root / path).parent, like)
            _link(entry / path, folder.root / path)
        _sync_all({(folder.root / path).parent for path in group})


def _manifests_last(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """In the order in which they come: whoever finds a manifest finds everything."""
    said = [path for path in paths if _SAYS in path.name]
    return [path for path in paths if path not in said], said


def _sync_all(folders: Iterable[Path]) -> None:
    for one in folders:
        sync(one)


def _link(source: Path, target: Path) -> None:
    with contextlib.suppress(FileExistsError):
        os.link(source, target, follow_symlinks=False)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), other.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _drop_empty(path: Path, top: Path) -> None:
    """Remove the folders from ``path`` up to ``top`` that hold nothing any more."""
    while path != top and path.is_relative_to(top):
        try:
            path.rmdir()
        except FileNotFoundError:
            pass
        except OSError:  # something is in it
            return
        path = path.parent
