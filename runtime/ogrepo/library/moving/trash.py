# SPDX-License-Identifier: GPL-3.0-or-later
"""An image goes to the trash and comes back; what is emptied is gone.

Whoever asks for one of these is refused before anything is written. The trash takes no room that
was not taken before, and nothing leaves it by itself: no clock decides.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable

from oglib.durable import sync
from oglib.errors import NotFoundError, OgErr, OgError
from ogrepo.library.disks import refuse_inside
from ogrepo.library.folder import Folder
from ogrepo.library.moving.again import source_of, stage_named
from ogrepo.library.moving.entries import About, Entry, gather
from ogrepo.library.moving.going import REMOVING, RETURNING, decide, finish_going
from ogrepo.library.moving.holdings import Holdings, holdings_of
from ogrepo.library.publishing import publish, stage, turn
from ogrepo.library.staged_disks import refuse_folder
from ogrepo.library.store import last_version
from ogrepo.versions.pins import pins_of


def plan_removal(folder: Folder, name: str) -> Holdings:
    """What would go; refused where there is nothing, or where somebody pinned a version."""
    held = holdings_of(folder, name)
    if held.is_nothing:
        raise NotFoundError(
            f"There is no image {name} in {folder.root}.",
            hint=f"`ogrepo list {folder.root}` shows what is there.",
        )
    pinned = sorted(pins_of(folder, name))
    if pinned:
        raise OgError(
            f"Of {name}, version {', '.join(map(str, pinned))} is pinned.",
            hint="`ogrepo unpin` lets it go.",
            code=OgErr.LOCKED,
        )
    return held


def remove(folder: Folder, name: str, why: str) -> Holdings:
    """Move everything that this name holds to the trash."""
    with turn(folder, name):
        return remove_held(folder, name, why)


def remove_held(folder: Folder, name: str, why: str) -> Holdings:
    """The same for who has the name's turn."""
    held = plan_removal(folder, name)
    about = About(name, held.version, held.is_disk, int(time.time()), why)
    with stage(folder) as staged:
        gather(folder, held, about, staged)
        decide(folder, REMOVING, name, staged)
    finish_going(folder, name)
    return held


def bring_back(folder: Folder, entry: Entry) -> int:
    """Give the image of an entry its names again; refused where there is one so called.

    The version that is shown then: PCs refuse one that is older than another that they had, so
    where the name had later ones, it is published again above them.
    """
    name = entry.about.name
    with turn(folder, name):
        refuse_taken(folder, name)
        decide(folder, RETURNING, name, entry.path)
        finish_going(folder, name)
        if not entry.about.version or last_version(folder, name) <= entry.about.version:
            return entry.about.version
        with stage(folder) as staged:
            version = stage_named(folder, folder, source_of(folder, folder, name), name, staged)
            publish(folder, name, staged)
        return version


def bring_back_as(folder: Folder, entry: Entry, new: str) -> int:
    """Publish what an entry showed under another name; it stays in the trash."""
    source = Folder(entry.path)
    with turn(folder, new):
        refuse_taken(folder, new)
        if entry.about.is_disk:
            refuse_folder(folder, new)
        kept = source_of(folder, source, entry.about.name)
        with stage(folder) as staged:
            version = stage_named(folder, source, kept, new, staged)
            publish(folder, new, staged)
    return version


def refuse_taken(folder: Folder, name: str) -> None:
    """No image is put over another, nor into the folder of a disk."""
    if not holdings_of(folder, name).is_nothing:
        raise OgError(
            f"There is an image {name} in {folder.root} already.",
            hint="Choose another name, or move that one to the trash with `ogrepo delete`.",
            code=OgErr.LOCKED,
        )
    refuse_inside(folder, name)


def empty(folder: Folder, gone: Iterable[Entry]) -> None:
    """Remove these entries for ever."""
    for entry in gone:
        # Renamed first: a cut leaves nothing that looks like an image that could come back.
        aside = entry.path.with_name(f".{entry.id}")
        entry.path.replace(aside)
        sync(folder.trash)
        shutil.rmtree(aside)
    sync(folder.trash)


def sweep(folder: Folder) -> None:
    """Remove what an emptying that was cut left."""
    for path in folder.trash.iterdir():
        if path.name.startswith("."):
            shutil.rmtree(path, ignore_errors=True)
