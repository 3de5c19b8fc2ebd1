# SPDX-License-Identifier: GPL-3.0-or-later
"""Room for an import: a folder of its own in ``private/imports/``, locked while somebody uses it.

Whatever ends an import, nothing of it is shown before all of it is. What a killed one left is
removed by the next, which begins anew.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oglib.errors import WriteError
from oglib.partfile import is_at
from oglib.wording.amounts import human_bytes
from ogrepo.intake.ledger import SPARE_BYTES
from ogrepo.library.folder import Folder, hand_over
from ogrepo.versions.prune import Policy
from ogrepo.versions.room import Guard

_KIND = "imports"


@contextmanager
def work_folder(folder: Folder, needed_bytes: int) -> Iterator[Path]:
    """An empty folder where ``needed_bytes`` fit; it goes again, unless it was moved on."""
    sweep(folder)
    top = folder.private / _KIND
    require_room(folder, needed_bytes)
    path, handle = _made(top)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _made(top: Path) -> tuple[Path, int]:
    """A new folder and the handle that holds its lock; another's ``sweep`` may be faster once."""
    while True:
        path = top / secrets.token_hex(16)
        path.mkdir(mode=0o700)
        hand_over(path, top)
        with suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if is_at(handle, path):
                return path, handle
            os.close(handle)


def sweep(folder: Folder) -> None:
    """Remove what imports left that nobody does any more."""
    for path in (folder.private / _KIND).iterdir():
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue  # another has just removed it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)


def require_room(folder: Folder, needed_bytes: int) -> None:
    """Raise unless so much fits, and something is left for the machine.

    Before that, old versions go that the policy does not keep.
    """
    make_room = Guard(folder, Policy())
    free = _free(folder)
    if needed_bytes + SPARE_BYTES > free and make_room():
        free = _free(folder)
    missing = needed_bytes + SPARE_BYTES - free
    if missing > 0:
        raise WriteError(
            f"The image needs {human_bytes(needed_bytes)}, and the repository's disk has "
            f"{human_bytes(free)} free: {human_bytes(missing)} are missing.",
            hint="Remove what is not needed there, then import it again.",
        )


def _free(folder: Folder) -> int:
    there = os.statvfs(folder.private)
    return there.f_bavail * there.f_frsize
