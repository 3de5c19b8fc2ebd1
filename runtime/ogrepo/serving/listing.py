# SPDX-License-Identifier: GPL-3.0-or-later
"""The listing of images, kept by the stamps of their files and made for many askers at once.

Whoever asks gets a listing whose making began after the question, so a PC sees what it has just
published. One is made at a time, in a thread of its own, and making them takes at most a tenth
of the time: downloads go on.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from oglib.errors import OgError
from oglib.image.format.manifest import PublicKey, load_public_keys
from ogrepo.library import disks, foreign, store
from ogrepo.library.folder import Folder, checked_name
from ogrepo.library.proving.proofs import known_proof, record_of, with_proof
from ogrepo.serving.pages import Shown, image_list
from ogrepo.serving.paths import entries
from ogrepo.shortage import is_shortage, says_absent

_LEAST_PAUSE_S = 0.2
_PAUSE_TIMES = 9.0
_MOST_FOLDERS = 64
_T = TypeVar("_T")
Stamps = tuple[tuple[str, int, int, int, int], ...]
_UNSURE: Stamps = (("", 0, 0, 0, 0),)  # equals those of no file: read again next time


class Shared(Generic[_T]):
    """Runs ``make`` in a thread for any number of askers at a time, one run after the other."""

    def __init__(self, make: Callable[[], _T], pool: Executor) -> None:
        self._make = make
        self._pool = pool
        self._running = asyncio.Lock()
        self._not_before = 0.0
        self._next: asyncio.Task[_T] | None = None

    async def get(self) -> _T:
        """What a run gave that began after this was called; raises what it raised."""
        if self._next is None:
            self._next = asyncio.create_task(self._run())
            self._next.add_done_callback(_looked_at)
        return await asyncio.shield(self._next)

    @property
    def is_idle(self) -> bool:
        return self._next is None and not self._running.locked()

    async def _run(self) -> _T:
        async with self._running:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            self._next = None  # who asks from now on is in time for the next run only
            begun = loop.time()
            try:
                return await loop.run_in_executor(self._pool, self._make)
            finally:
                took_s = loop.time() - begun
                self._not_before = loop.time() + max(_LEAST_PAUSE_S, _PAUSE_TIMES * took_s)


def _looked_at(task: asyncio.Task[_T]) -> None:
    """All who asked may have gone; then nobody else takes the run's error."""
    if not task.cancelled():
        task.exception()


@dataclass(frozen=True, slots=True)
class Listing:
    """What ``/images/`` answers to programs and to people, and what both were made from."""

    as_json: bytes
    as_html: bytes
    shown: tuple[Shown, ...]
    incomplete: int

    @property
    def count(self) -> int:
        return len(self.shown)


class Listings:
    """The listing of a repository, and those of its plain folders."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(1, "ogrepo-listing")
        self._catalogue = Catalogue(folder)
        self._images = Shared(self._catalogue.listing, self._pool)
        self._folders: OrderedDict[Path, Shared[list[tuple[str, bool]]]] = OrderedDict()

    async def images(self) -> Listing:
        return await self._images.get()

    async def entries(self, path: Path) -> list[tuple[str, bool]]:
        """As ``paths.entries``."""
        shared = self._folders.get(path)
        if shared is None:
            shared = Shared(lambda: entries(self._folder, path), self._pool)
            self._folders[path] = shared
            self._forget_some()
        self._folders.move_to_end(path)
        return await shared.get()

    def _forget_some(self) -> None:
        if len(self._folders) > _MOST_FOLDERS:
            idle = [path for path, shared in self._folders.items() if shared.is_idle]
            for path in idle[: len(self._folders) - _MOST_FOLDERS]:
                del self._folders[path]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class Catalogue:
    """Reads each image again only when one of its files, or a key, is another. One thread's."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._known: dict[str, tuple[Stamps, Shown | None]] = {}
        self._last: tuple[list[Shown], int] | None = None
        self._made = Listing(b"", b"", (), 0)
        self.reads = 0

    def listing(self) -> Listing:
        shown = self.shown()
        incomplete = len(self._known) - len(shown)
        if self._last is not None and self._last == (shown, incomplete):
            return self._made
        body = {"images": [one.about for one in shown]}
        made = Listing(
            json.dumps(body).encode(), image_list(shown).encode(), tuple(shown), incomplete
        )
        self._last, self._made = (shown, incomplete), made
        return made

    def shown(self) -> list[Shown]:
        """Every complete image, then those of disks and of other programs, each kind by name."""
        folder, keys = self._folder, _Keys(self._folder)
        found: dict[str, tuple[Stamps, Shown | None]] = {}
        for name in store.names(folder):
            files = (*store.files_of(folder, name), *_beside(folder, name))
            stamps = (*keys.stamps, *_stamps(files))
            found[name] = self._kept(name, stamps, partial(_image, folder, name, keys))
        for name in disks.disk_names(folder):
            files = (*disks.files_of(folder, name), *_beside(folder, name))
            stamps = (*keys.stamps, *_stamps(files))
            key = f"{name}/"
            found[key] = self._kept(key, stamps, partial(_disk, folder, name, keys))
        for name in foreign.foreign_names(folder):
            files = (*foreign.foreign_files(folder, name), *_beside(folder, name))
            stamps = (*keys.stamps, *_stamps(files))
            key = f"{name}!"
            found[key] = self._kept(key, stamps, partial(_foreign, folder, name, keys))
        self._known = found
        return [shown for _, shown in found.values() if shown is not None]

    def _kept(
        self, key: str, stamps: Stamps, read: Callable[[], Shown]
    ) -> tuple[Stamps, Shown | None]:
        known = self._known.get(key)
        if known is not None and known[0] == stamps:
            return known
        self.reads += 1
        try:
            return stamps, read()
        except OgError as error:
            if is_shortage(error):
                raise
            # What is not complete is not an image; what could not be read may be one.
            return (_UNSURE if isinstance(error.__cause__, OSError) else stamps), None


class _Keys:
    """The keys as they are now, read when the first image wants them."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder.keys
        self.stamps = tuple(_stamps(sorted(folder.keys.glob("*.pub"))))
        self._read: list[PublicKey] | None = None

    def __call__(self) -> list[PublicKey]:
        if self._read is None:
            self._read = load_public_keys(self._folder)
        return self._read


def _image(folder: Folder, name: str, keys: _Keys) -> Shown:
    image = store.find(folder, checked_name(name), keys())
    proof = known_proof(folder, name, image.manifest_bytes)
    about = with_proof(image.as_dict(), proof) | _versions(folder, name)
    return Shown(f"{name}.img", f"{name}.img.json", about, proof)


def _foreign(folder: Folder, name: str, keys: _Keys) -> Shown:
    image = foreign.find_foreign(folder, checked_name(name), keys())
    proof = known_proof(folder, name, image.raw)
    about = with_proof(image.as_dict(), proof) | _versions(folder, name)
    return Shown(f"{name}.img", f"{name}{store.RECORD}", about, proof)


def _disk(folder: Folder, name: str, keys: _Keys) -> Shown:
    disk = disks.find_disk(folder, checked_name(name), keys())
    proof = known_proof(folder, name, disk.raw)
    about = with_proof(disk.as_dict(), proof) | _versions(folder, name)
    return Shown(f"{name}/", f"{name}/disk.json", about, proof)


def _beside(folder: Folder, name: str) -> tuple[Path, Path]:
    """What changes with what was proven of an image, and with the versions that are kept of it."""
    return record_of(folder, name), folder.versions.joinpath(*name.split("/"))


def _versions(folder: Folder, name: str) -> dict[str, Any]:
    return {"versions": store.kept_numbers(folder, name)}


def _stamps(paths: Iterable[Path]) -> Iterator[tuple[str, int, int, int, int]]:
    """What changes when a file is written, replaced, removed or put there."""
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            if not says_absent(error):
                raise
            yield str(path), 0, 0, 0, 0
        else:
            times = status.st_mtime_ns, status.st_ctime_ns
            yield str(path), status.st_ino, status.st_size, *times
