# SPDX-License-Identifier: GPL-3.0-or-later
"""How an entry comes to its place and leaves it: every step durable before the next.

``NAME.img`` is what an older ogLive reads, so it goes first and comes last. What lies in
``ready`` is complete: placing it can be cut anywhere and done again, which ends the same way.
The caller holds the store's lock; what these functions put into the trash, the caller deletes
when it has let the lock go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oglib.cache import folder as disk
from oglib.cache.folder import Folder
from oglib.cache.model import Entry
from oglib.cache.record import Record, read_record, read_state, write_state
from oglib.cache.survey import companions
from oglib.errors import UsageError

RECORD = "record.json"
FILES = "files"


def refuse_clash(folder: Folder, record: Record, known: Sequence[Entry]) -> None:
    """Raise where the entry's place is taken by another one, or by a folder that holds others."""
    head = folder.images / record.head
    for one in known:
        inside = one.path in head.parents or head in one.path.parents
        if inside or (one.name == record.name and one.path != head):
            raise UsageError(
                f"The cache holds {one.path.relative_to(folder.images)}, which stands in the way "
                f"of {record.name}.",
                hint=f"Evict it first (`og cache evict {one.name}`), or choose another name.",
            )
    if head.is_dir() and all(one.path != head for one in known):
        raise UsageError(
            f"{record.head} is a folder of the cache, so no image can have this name.",
            hint="Choose another name.",
        )


def commit(folder: Folder, staged: Path, name: str) -> Path:
    """From here on the new version of ``name`` wins, whatever happens."""
    ready = disk.unused_place(folder.room("ready"), name)
    disk.move(staged, ready)
    disk.sync(ready.parent)
    disk.sync(staged.parent)
    return ready


def place(folder: Folder, ready: Path) -> tuple[Record, Path]:
    """Bring what is in ``ready`` to its place; returns its record and what is to be deleted."""
    record = read_record(ready / RECORD)
    if record is None:
        raise ValueError(f"{ready} holds no record")
    head = folder.images / record.head
    files = ready / FILES
    waiting = {path.name for path in files.iterdir()} if files.is_dir() else set()
    trash = disk.new_place(folder.room("trash"), record.head)
    if record.leaf in waiting:
        disk.make_folders(head.parent, folder.root)
        _take_away(folder, record, waiting, trash)
        for name in sorted(waiting - {record.leaf}):
            disk.move(files / name, head.with_name(name))
        disk.write_whole(folder.record(record.head), record.to_bytes())
        disk.sync(head.parent)
        disk.move(files / record.leaf, head)
    disk.sync(head.parent)
    state = read_state(folder.state(record.head))
    if state.damaged:  # what was found to be damaged is gone
        write_state(folder.state(record.head), replace(state, damaged=False))
    disk.move(ready, trash / "ready")
    disk.sync(ready.parent)
    return record, trash


def _take_away(folder: Folder, record: Record, waiting: set[str], trash: Path) -> None:
    """The version before, but nothing that an earlier try placed already."""
    head = folder.images / record.head
    old = read_record(folder.record(record.head))
    if head.exists() or head.is_symlink():
        disk.move(head, trash / head.name)
        disk.sync(head.parent)
    for path in companions(head, old):
        if path.name in waiting or path.name not in record.items:
            disk.move(path, trash / path.name)
    disk.sync(head.parent)


def retire(folder: Folder, head: str) -> Path:
    """Take an entry out of sight; returns what is to be deleted. A pin is remembered."""
    path = folder.images / head
    trash = disk.new_place(folder.room("trash"), head)
    record = read_record(folder.record(head))
    if path.exists():
        disk.move(path, trash / path.name)
        disk.sync(path.parent)
    for beside in companions(path, record):
        disk.move(beside, trash / beside.name)
    if path.parent.is_dir():
        disk.sync(path.parent)
    remembered = [folder.record(head)]
    if not read_state(folder.state(head)).pinned:
        remembered.append(folder.state(head))
    for kept in remembered:
        if kept.exists():
            disk.delete(kept)
            disk.sync(kept.parent)
    return trash


def note_use(folder: Folder, head: str) -> None:
    """Make ``head`` the entry that was used last."""
    others = folder.room("state").glob("[!.]*.json")
    latest = max((read_state(path).used for path in others), default=0)
    path = folder.state(head)
    write_state(path, replace(read_state(path), used=latest + 1))
