# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder into which people copy images: what is finished is imported, once, and told.

The folder is looked at every few seconds. A notice of the kernel's would be quicker, but none comes
of what another machine writes into a share, and it does not tell a finished file from a paused one.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from itertools import islice
from pathlib import Path

from blake3 import blake3

from oglib.errors import ImageError, OgError
from oglib.image.reading.formats.folders.folder import is_folder_image
from oglib.progress import Progress
from ogrepo.arriving.importing import Imported, bring_in
from ogrepo.arriving.naming import alias, bare, is_beside, is_under_way
from ogrepo.arriving.rest import Rested, has_writer
from ogrepo.arriving.sources import Arrival, arrivals, is_later_volume, is_unchanged
from ogrepo.library.folder import Folder, write_whole
from ogrepo.shortage import is_shortage

POLL_S = 5.0
REST_S = 60.0
_MOST_ENTRIES = 20_000
_LATER_S = 600.0  # until something that may mend itself (a full disk) is tried again
_KIND = "imported"


@dataclass(frozen=True, slots=True)
class Watching:
    """What is watched, and how. ``rest_s``: for how long nothing may have changed."""

    path: Path
    convert: bool = False
    rest_s: float = REST_S
    poll_s: float = POLL_S


# Told of each thing once: its path, and what came of it.
Tell = Callable[[Path, Imported | OgError], None]


class Watch:
    """One watched folder; ``look`` imports what is ready by ``now``, of ``time.monotonic``."""

    def __init__(self, folder: Folder, watching: Watching, tell: Tell, progress: Progress) -> None:
        self._folder = folder
        self._watching = watching
        self._tell = tell
        self._progress = progress
        self._rested = Rested(watching.rest_s)
        self._told: dict[Path, str] = {}
        self._not_before: dict[Path, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set. A folder that goes away (a share) is waited for, and told once."""
        while not stop.is_set():
            try:
                self.look(time.monotonic())
            except (OgError, OSError) as error:
                why = error.strerror if isinstance(error, OSError) else error.message
                said = OgError(f"{self._watching.path} cannot be looked at: {why}.")
                self._tell_once(self._watching.path, said)
            else:
                self._told.pop(self._watching.path, None)
            stop.wait(self._watching.poll_s)

    def look(self, now: float) -> None:
        """Once through the folder."""
        there = set[Path]()
        for path in candidates(self._watching.path):
            there.add(path)
            try:
                self._consider(path, now)
            except (OgError, OSError) as error:
                if is_shortage(error):
                    raise
                words = error if isinstance(error, OgError) else OgError(f"{path}: {error}.")
                self._tell_once(path, words)
        self._rested.keep_only(there)
        for gone in self._told.keys() - there - {self._watching.path}:
            del self._told[gone]

    def _consider(self, path: Path, now: float) -> None:
        if is_later_volume(path) or now < self._not_before.get(path, now):
            return
        found = self._arrivals(path)
        stamps = tuple(one for arrival in found for one in arrival.stamps)
        if not self._rested.look(path, stamps, now):
            return
        fresh = [arrival for arrival in found if not _is_done(self._folder, arrival)]
        if any(has_writer(file) for arrival in fresh for file in arrival.files):
            return
        for arrival in fresh:
            self._bring(path, arrival, now)

    def _arrivals(self, path: Path) -> list[Arrival]:
        called = _called(self._watching.path, path)
        name = alias(called)
        said = f"{called} cannot be the name of an image here; it is called {name}."
        found = arrivals(path, name)
        return found if name == called else [replace(one, said=(said,)) for one in found]

    def _bring(self, path: Path, arrival: Arrival, now: float) -> None:
        try:
            done = bring_in(
                self._folder, arrival, convert=self._watching.convert, progress=self._progress
            )
        except ImageError as error:
            if is_shortage(error) or not is_unchanged(arrival):
                raise
            # it will not be another the next time: only other bytes are
            _keep(self._folder, arrival, problem=error.message)
            self._tell(path, error)
        except OgError:
            self._not_before[path] = now + _LATER_S
            raise
        else:
            _keep(self._folder, arrival, name=done.name, version=done.version)
            self._tell(path, done)

    def _tell_once(self, path: Path, error: OgError) -> None:
        if self._told.get(path) != error.message:
            self._told[path] = error.message
            self._tell(path, error)


def candidates(top: Path) -> Iterator[Path]:
    """What may be an image in ``top``, or one level deeper: files, and folders of saved disks."""
    for entry in _listed(top):
        path = top / entry.name
        if entry.name.startswith(".") and entry.is_dir():
            continue
        if not entry.is_dir() or is_folder_image(path):
            if entry.is_dir() or _may_be_one(entry.name):
                yield path
            continue
        for inside in _listed(path):
            if inside.is_file() and _may_be_one(inside.name):
                yield path / inside.name


def _may_be_one(name: str) -> bool:
    return not is_under_way(name) and not is_beside(name)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        found = list(islice(entries, _MOST_ENTRIES))
    return sorted(found, key=lambda entry: os.fsencode(entry.name))


def _called(top: Path, path: Path) -> str:
    above = path.parent.relative_to(top).parts
    return "/".join((*above, bare(path.name)))


def _marker(folder: Folder, arrival: Arrival) -> Path:
    what = b"\0".join(os.fsencode(path) for path in arrival.files)
    return folder.private / _KIND / blake3(what + arrival.name.encode()).hexdigest()


def _is_done(folder: Folder, arrival: Arrival) -> bool:
    """Whether these very files were imported, or found to be damaged, before."""
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        told = json.loads(_marker(folder, arrival).read_bytes())
        return bool(told["stamps"] == [list(astuple(one)) for one in arrival.stamps])
    return False


def _keep(
    folder: Folder, arrival: Arrival, *, name: str = "", version: int = 0, problem: str = ""
) -> None:
    told = {
        "path": str(arrival.files[0]),
        "stamps": [list(astuple(one)) for one in arrival.stamps],
        "name": name,
        "version": version,
        "problem": problem,
    }
    write_whole(_marker(folder, arrival), json.dumps(told).encode("ascii"), mode=0o600)
