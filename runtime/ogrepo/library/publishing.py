# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way in which files become an image that is shown: uploads, imports and rollbacks use it.

Who publishes holds the name's turn, prepares a folder, and gives it to ``publish``. From the moment
in which that folder stands in ``private/publishing/`` under the image's name, the publication is
decided: if it is cut, whoever has the next turn, or the next start, brings it to its end.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import unquote

from oglib.durable import sync
from oglib.errors import OgError
from oglib.image.format.disk_manifest import DISK_FILE, DiskManifest
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.manifest import Manifest
from ogrepo.library.folder import Folder, hand_over, held, locked
from ogrepo.library.keep import keep_disk, keep_foreign, keep_image
from ogrepo.library.moving.going import finish_going, undone
from ogrepo.library.staged_disks import place_disk, staged_disk
from ogrepo.library.store import MANIFEST, RECORD, place, staged_file

_PATIENCE_S = 10.0


@contextmanager
def turn(folder: Folder, name: str) -> Iterator[None]:
    """The right to number and publish this name, one holder at a time over all processes.

    What was cut before is brought to its end first, so a number that is taken now is shown last.
    """
    with locked(folder, name, what=f"The image {name}", patience_s=_PATIENCE_S):
        _finish(folder, name)
        finish_going(folder, name)
        yield


@contextmanager
def stage(folder: Folder) -> Iterator[Path]:
    """An empty folder to prepare a publication in; it goes unless it was published."""
    staged = folder.staged / secrets.token_hex(16)
    with _stages_held(folder):
        staged.mkdir(mode=0o700)
        hand_over(staged, folder.staged)
        descriptor = _held(staged)
    try:
        yield staged
    finally:
        os.close(descriptor)
        shutil.rmtree(staged, ignore_errors=True)


def _stages_held(folder: Folder) -> AbstractContextManager[None]:
    return held(folder, "staged", what=f"{folder.staged}", patience_s=_PATIENCE_S)


def _held(staged: Path) -> int:
    """A descriptor with the kernel's lock of a folder; ``BlockingIOError``: another has it."""
    descriptor = os.open(staged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _drop_stages(folder: Folder) -> None:
    """What nobody prepares any more."""
    with _stages_held(folder):
        for path in folder.staged.iterdir():
            with suppress(BlockingIOError):
                os.close(_held(path))
                shutil.rmtree(path, ignore_errors=True)


def publish(folder: Folder, name: str, staged: Path) -> None:
    """Keep and show what is in ``staged``, numbered and signed; the caller has the name's turn.

    ``staged`` holds the files of an image as ``store.staged_file`` calls them, or the folder of a
    disk; it is on the repository's filesystem, and gone afterwards. An error leaves the old image
    or a decided publication, which the next turn ends.
    """
    sync(staged)
    staged.rename(folder.record("publishing", name))
    sync(folder.publishing)
    sync(staged.parent)
    _finish(folder, name)


def unfinished(folder: Folder) -> list[str]:
    """The names whose files are being exchanged, or were when something was cut."""
    return sorted({*(unquote(path.name) for path in folder.publishing.iterdir()), *undone(folder)})


def is_unfinished(folder: Folder, name: str) -> bool:
    """Whether this name is among them: one look, for each range that is asked for."""
    return os.path.exists(_decided_text(folder, name))  # noqa: PTH110 - for each range


@lru_cache(maxsize=1024)
def _decided_text(folder: Folder, name: str) -> str:
    return str(folder.record("publishing", name))


def finish_all(folder: Folder) -> list[str]:
    """Bring to their end what was cut, drop what was not decided; one sentence for each."""
    _drop_stages(folder)
    said = []
    for name in unfinished(folder):
        try:
            with turn(folder, name):
                said.append(f"Finished what was begun with {name}.")
        except (OgError, OSError) as error:
            # The other images can be served all the same.
            said.append(f"Could not finish what was begun with {name}: {error}")
    return said


def _finish(folder: Folder, name: str) -> None:
    decided = folder.record("publishing", name)
    if not decided.exists():
        return
    disk = staged_disk(decided)
    if disk is not None:
        raw = (disk / DISK_FILE).read_bytes()
        keep_disk(folder, DiskManifest.from_bytes(raw), disk, proven=True)
        place_disk(folder, name, decided)
    elif (manifest := staged_file(decided, MANIFEST)).exists():
        path_of = partial(staged_file, decided)
        keep_image(folder, Manifest.from_bytes(manifest.read_bytes()), path_of, proven=True)
        place(folder, name, decided)
    elif (record := staged_file(decided, RECORD)).exists():
        path_of = partial(staged_file, decided)
        keep_foreign(folder, ForeignRecord.from_bytes(record.read_bytes()), path_of)
        place(folder, name, decided)
    shutil.rmtree(decided)
    sync(folder.publishing)
