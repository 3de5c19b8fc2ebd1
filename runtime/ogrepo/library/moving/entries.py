# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the trash: folders that hold all of one image, as names of the same files.

An entry has the tree of the repository below it (``images/``, ``versions/``, ``bytes/``) and a note
of what it is. Its number, not a clock, says which of several with one name is the latest.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from oglib.durable import sync
from oglib.errors import NotFoundError, OgError, UsageError
from ogrepo.library.folder import (
    BYTES,
    Folder,
    checked_name,
    hand_over,
    is_digest,
    walk,
    write_whole,
)
from ogrepo.library.moving.holdings import Holdings

ABOUT = "about.json"
_ID = re.compile(r"(?P<name>[A-Za-z0-9%._-]+)~(?P<number>[1-9][0-9]{0,8})", re.ASCII)
_MOST_ABOUT = 64 << 10
_Inode = tuple[int, int]


@dataclass(frozen=True, slots=True)
class About:
    """``at``: seconds since 1970 by the clock of then, for people. ``why``: in a word or two."""

    name: str
    version: int
    is_disk: bool
    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``size_bytes``: all of its files, ``own_bytes``: those that have no name but here
    and in ``bytes/``, so that their room comes back when it is emptied."""

    id: str
    path: Path
    about: About
    size_bytes: int
    own_bytes: int

    def as_dict(self) -> dict[str, object]:
        sizes = {"size_bytes": self.size_bytes, "own_bytes": self.own_bytes}
        return {"id": self.id, **asdict(self.about), **sizes}


def gather(folder: Folder, held: Holdings, about: About, staged: Path) -> None:
    """Give everything that a name holds a second name in ``staged``, and write what it is."""
    for path in (*held.shown, *held.records):
        _link(folder.root / path, staged / path)
    for digest in held.digests:
        _link(folder.bytes_file(digest), staged / BYTES / digest)
    write_whole(staged / ABOUT, json.dumps(asdict(about)).encode(), mode=0o600)
    for path, _ in walk(staged):
        hand_over(path, folder.private)
        sync(path)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target, follow_symlinks=False)


def about_of(entry: Path) -> About:
    """What an entry is; ``OgError`` where it does not say so."""
    try:
        with (entry / ABOUT).open("rb") as file:
            told = json.loads(file.read(_MOST_ABOUT))
        return About(
            checked_name(str(told["name"])),
            int(told["version"]),
            bool(told["is_disk"]),
            int(told["at"]),
            str(told["why"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, UsageError) as error:
        raise OgError(
            f"{entry} does not say what it is: {error}.",
            hint="Look into it; it can be removed by hand.",
        ) from None


def next_id(folder: Folder, name: str) -> str:
    """That of the next entry of this name; the caller has the name's turn."""
    taken = [_number(path) for path in folder.trash.iterdir() if _name(path) == name]
    return f"{quote(name, safe='')}~{max(taken, default=0) + 1}"


def entries(folder: Folder) -> list[Entry]:
    """All of them, by name, the latest of each name first."""
    found = [path for path in folder.trash.iterdir() if _ID.fullmatch(path.name)]
    found.sort(key=lambda path: (_name(path), -_number(path)))
    return [_entry(folder, path) for path in found]


def wanted(folder: Folder, word: str) -> Entry:
    """The entry of this id, or the latest of this name."""
    for entry in entries(folder):
        if word in (entry.id, shown_id(entry.id), entry.about.name):
            return entry
    raise NotFoundError(
        f"There is no {word} in the trash of {folder.root}.",
        hint=f"`ogrepo trash list {folder.root}` shows what is there.",
    )


def shown_id(entry_id: str) -> str:
    """As a person types it: with the slashes of its name."""
    return unquote(entry_id)


def _entry(folder: Folder, path: Path) -> Entry:
    sizes: dict[_Inode, int] = {}
    elsewhere: dict[_Inode, int] = {}
    kept = set()
    for at, names in walk(path):
        for name in names:
            status = (at / name).lstat()
            inode = status.st_dev, status.st_ino
            sizes[inode] = status.st_size
            elsewhere[inode] = elsewhere.get(inode, status.st_nlink) - 1
            if at.name == BYTES and is_digest(name) and _is_at(folder.bytes_file(name), inode):
                kept.add(inode)
    own = sum(size for inode, size in sizes.items() if elsewhere[inode] <= (inode in kept))
    return Entry(path.name, path, about_of(path), sum(sizes.values()), own)


def _is_at(path: Path, inode: _Inode) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return (status.st_dev, status.st_ino) == inode


def _name(path: Path) -> str:
    return unquote(path.name.rpartition("~")[0])


def _number(path: Path) -> int:
    number = path.name.rpartition("~")[2]
    return int(number) if number.isascii() and number.isdecimal() else 0
