# SPDX-License-Identifier: GPL-3.0-or-later
"""After a power cut, and whenever a cache is opened: finish what was committed, undo the rest.

Each thing done is one sentence for a person. What other processes work on at this moment is
left alone: their kernel locks say so. A second run finds nothing to do.
"""

from __future__ import annotations

from pathlib import Path

from oglib.cache import folder as disk
from oglib.cache.folder import Folder
from oglib.cache.model import Entry, Proof, Prove
from oglib.cache.place import FILES, RECORD, place, retire
from oglib.cache.proof import digests_of
from oglib.cache.record import Record, read_record
from oglib.cache.staging import is_kept
from oglib.cache.survey import companions, survey
from oglib.errors import OgError
from oglib.wording.amounts import human_bytes


def recover(folder: Folder, *, since_mount: bool = False) -> tuple[str, ...]:
    """Leave nothing but whole entries; returns what was done, empty when nothing was.

    ``since_mount``: the cache was mounted before, so what looks half may be a script's copy under
    way; then only our own rooms are tidied.
    """
    said: list[str] = []
    rubbish: list[Path] = []
    with disk.locked(folder):
        for ready in sorted(folder.room("ready").iterdir()):
            said += _finish(folder, ready, rubbish)
        for staged in sorted(folder.room("staging").iterdir()):
            if not is_kept(staged) and not disk.in_use(staged):
                said.append(f"removed what was being stored as {_title(staged)}{_much(staged)}")
                rubbish.append(staged)
        if not since_mount:
            said += _remove_halves(folder, rubbish)
        for trash in sorted(folder.room("trash").iterdir()):
            if trash not in rubbish:
                said.append(f"deleted the rest of {_title(trash)}, which was evicted or replaced")
                rubbish.append(trash)
        for room in ("entries", "state", "versions"):
            for part in folder.room(room).glob(".*.part"):
                disk.delete(part)
    for path in rubbish:
        disk.delete(path)
        disk.sync(path.parent)
    return tuple(said)


def _remove_halves(folder: Folder, rubbish: list[Path]) -> list[str]:
    """What is no whole entry leaves the images folder; files of another kind stay."""
    said = []
    found = survey(folder)
    for one in found.broken:
        if not _used(folder.images / one.head):
            said.append(f"removed {one.head}: {one.why}")
            rubbish.append(retire(folder, one.head))
    for orphan in found.orphans:
        said.append(f"removed {orphan.relative_to(folder.images)}: its image is gone")
        disk.delete(orphan)
        disk.sync(orphan.parent)
    return said


def _finish(folder: Folder, ready: Path, rubbish: list[Path]) -> list[str]:
    record = read_record(ready / RECORD)
    if record is None:
        rubbish.append(ready)
        return []
    if _used(folder.images / record.head):
        return []  # somebody restores from the version before; the next run finishes this
    waited = (ready / FILES / record.leaf).exists()
    rubbish.append(place(folder, ready)[1])
    return [f"finished storing {record.name}, which was complete"] if waited else []


def check(folder: Folder, prove: Prove, *, deep: bool) -> tuple[str, ...]:
    """``recover`` and, with ``deep``, every byte against its record or what lies beside it."""
    said = list(recover(folder))
    if not deep:
        return tuple(said)
    for entry in survey(folder).entries:
        head = str(entry.path.relative_to(folder.images))
        try:
            record = _proven(entry, head, prove)
        except (OgError, OSError) as error:
            why = error.message if isinstance(error, OgError) else f"{error.strerror or error}."
            said += _retired(folder, entry, head, why)
            continue
        if record is not None:
            with disk.locked(folder):
                disk.write_whole(folder.record(head), record.to_bytes())
    return tuple(said)


def _proven(entry: Entry, head: str, prove: Prove) -> Record | None:
    """Raises when the entry is damaged; a record for one that had none and was proven."""
    if entry.files is not None:
        names = sorted({name.split("/", 1)[0] for name in entry.files})
        now = digests_of(entry.path.parent, names)
        changed = sorted(name for name in entry.files if now.get(name) != entry.files[name])
        if changed:
            raise OgError(f"{', '.join(changed)} is not what was stored.")
        return None
    beside = [path.name for path in companions(entry.path, None)]
    digests = digests_of(entry.path.parent, [entry.path.name, *beside])
    proof = prove(entry.path, digests)
    return None if proof is Proof.UNPROVEN else Record(entry.name, head, proof, digests)


def _retired(folder: Folder, entry: Entry, head: str, why: str) -> list[str]:
    with disk.locked(folder):
        known = ((one.path, one.files) for one in survey(folder).entries)
        if (entry.path, entry.files) not in known:
            return []  # it was evicted or replaced while it was read
        if _used(entry.path):
            return [f"{entry.name} is damaged and in use, so it stays: {why}"]
        trash = retire(folder, head)
    disk.delete(trash)
    return [f"removed {entry.name}: {why}"]


def _used(path: Path) -> bool:
    return path.exists() and not path.is_symlink() and disk.in_use(path)


def _title(place_of_one: Path) -> str:
    return place_of_one.name.rpartition("-")[0].replace("%2F", "/")


def _much(path: Path) -> str:
    size = sum(part.lstat().st_size for part in path.rglob("*") if part.is_file())
    return f" ({human_bytes(size)})"
