# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in the images folder: whole entries, broken ones, and files without an image.

Reads names, sizes and records, never contents; changes nothing. An image without a record was
stored by an older ogLive: it counts as whole, unproven, unless a download is marked as running.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from oglib.cache.folder import Folder
from oglib.cache.model import Entry, Proof
from oglib.cache.record import Record, read_record, read_state

_HEADS = (".img", ".dsk", ".pgz", ".img.diff")
_FOLDER_MARKS = ("disk.json", "ogimg.info")  # in the folder of a whole disk, or of files
_RUNNING = (".torrent.bf", ".torrent.bfog", ".bf", ".bfog")
COMPANIONS = (
    *(".json", ".json.sig", ".frames", ".sum", ".full.sum", ".torrent", ".torrent.ant"),
    *(".foreign.json", ".foreign.json.sig"),
    *(".info", ".info.checked", ".size", ".lock"),
    *_RUNNING,
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A head, or a record without one, that is no whole entry; ``why`` ends a sentence."""

    head: str
    why: str


@dataclass(frozen=True, slots=True)
class Survey:
    """``orphans`` are companion files whose image is gone."""

    entries: tuple[Entry, ...]
    broken: tuple[Broken, ...]
    orphans: tuple[Path, ...]


def survey(folder: Folder) -> Survey:
    """Everything in the images folder, by name."""
    entries: list[Entry] = []
    broken: list[Broken] = []
    paths = sorted(_walk(folder.images))
    heads = {path: str(path.relative_to(folder.images)) for path in paths if _is_head(path)}
    for path, head in heads.items():
        judged = _judged(folder, path, head)
        if isinstance(judged, Entry):
            entries.append(judged)
        else:
            broken.append(judged)
    known = {folder.record(head) for head in heads.values()}
    for path in sorted(folder.room("entries").glob("[!.]*.json")):
        head = unquote(path.stem)
        if path not in known and ".." not in head.split("/") and not head.startswith("/"):
            broken.append(Broken(head, "its image file is gone"))
    theirs = {folder.images / one.head for one in broken}
    orphans = tuple(
        path
        for path in paths
        if (head_path := _head_of(path)) and head_path not in heads and head_path not in theirs
    )
    return Survey(tuple(entries), tuple(broken), orphans)


def name_of(head: str) -> str:
    """``lab/debian`` for ``lab/debian.img``; other kinds keep their ending."""
    return head.removesuffix(".img")


def companions(path: Path, record: Record | None) -> list[Path]:
    """The files that stand beside the head ``path`` and belong to it."""
    names = {path.name + suffix for suffix in COMPANIONS}
    if record is not None:
        names |= record.items - {path.name}
    beside = (path.with_name(name) for name in sorted(names))
    return [found for found in beside if found.exists() or found.is_symlink()]


def _walk(images: Path) -> Iterator[Path]:
    """Every file, and every folder that is an image itself; hidden names are nobody's."""
    for path in images.iterdir():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir() and not any((path / mark).is_file() for mark in _FOLDER_MARKS):
            yield from _walk(path)
        else:
            yield path


def _is_head(path: Path) -> bool:
    return path.is_dir() or path.name.endswith(_HEADS)


def _judged(folder: Folder, path: Path, head: str) -> Entry | Broken:
    recorded = folder.record(head)
    record = read_record(recorded)
    state = read_state(folder.state(head))
    if record is None or record.head != head:
        if recorded.exists():
            return Broken(head, "its record is damaged")
        if any(path.with_name(path.name + mark).exists() for mark in _RUNNING):
            return Broken(head, "its download by an older ogLive was not finished")
        return Entry(
            name=name_of(head),
            path=path,
            size_bytes=sum(_size(part) for part in (path, *companions(path, None))),
            proof=Proof.UNPROVEN,
            pinned=state.pinned,
            used=state.used,
            damaged=state.damaged,
        )
    for name, facts in record.files.items():
        file = path.parent / name
        if not file.is_file() or file.is_symlink():
            return Broken(head, f"{name} is missing")
        size = file.stat().st_size
        if size != facts.size_bytes:
            return Broken(head, f"{name} has {size} bytes, not {facts.size_bytes}")
    return Entry(
        name=record.name,
        path=path,
        size_bytes=record.size_bytes,
        proof=record.proof,
        pinned=state.pinned,
        used=state.used,
        files=record.files,
        damaged=state.damaged,
    )


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(_size(part) for part in path.iterdir())
    return path.lstat().st_size


def _head_of(path: Path) -> Path | None:
    """The head that a companion file belongs to, by its name; None for any other file."""
    for suffix in sorted(COMPANIONS, key=len, reverse=True):
        bare = path.name.removesuffix(suffix)
        if bare != path.name and bare.endswith(_HEADS):
            return path.with_name(bare)
    return None
