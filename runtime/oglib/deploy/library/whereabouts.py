# SPDX-License-Identifier: GPL-3.0-or-later
"""What the place of an image and this PC's cache say of it, before any of it is fetched.

The cache is opened as for any look into it; nothing in it is changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from oglib.cache.find import CachePartition, find_cache, has_cache_folders
from oglib.cache.model import Entry, Verdict, WhenFull
from oglib.cache.partition import Places
from oglib.cache.room import allowed
from oglib.cache.store import Store
from oglib.cache.turn import Tell
from oglib.deploy.library.cache import opened_cache
from oglib.deploy.opening.finding import located, manifest_of
from oglib.deploy.opening.opened import opened_as
from oglib.deploy.opening.policy import repository_folder
from oglib.deploy.opening.reference import Reference
from oglib.disk.probe import list_disks
from oglib.errors import NotFoundError, OgErr, TransferError
from oglib.image.format.frames import table_bytes
from oglib.image.format.manifest import Manifest
from oglib.image.reading.local import own_files
from oglib.image.recording.sink import SUFFIX
from oglib.settings import Settings
from oglib.texts import read_whole
from oglib.transfer.answers import StatusError
from oglib.transfer.choose import Held, Room

_ROOM = {
    Verdict.FITS: Room.ENOUGH,
    Verdict.AFTER_EVICTING: Room.AFTER_EVICTING,
    Verdict.NEVER: Room.NEVER,
}


@dataclass(frozen=True, slots=True)
class Published:
    """What the place that it comes from says of it.

    ``manifest`` None: it is a foreign one, or nobody ``answers``. ``size_bytes``: what storing it
    takes; 0 where the cache cannot take it. ``full_sum``: the file with its full checksum (MD5).
    """

    manifest: Manifest | None = None
    answers: bool = False
    size_bytes: int = 0
    full_sum: bytes = b""
    why: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The digest of its manifest; empty where it has none."""
        return blake3(self.manifest.to_bytes()).hexdigest() if self.manifest else ""


@dataclass(frozen=True, slots=True)
class Cached:
    """What the cache says of one image."""

    partition: CachePartition | None = None
    held: Held = Held.NONE
    room: Room = Room.NEVER


def name_in_cache(image: Reference) -> str:
    """What the cache calls it, folders and all."""
    top = repository_folder().resolve()
    if image.place is None or not image.place.real.is_relative_to(top):
        return image.name
    return str(image.place.real.relative_to(top)).removesuffix(SUFFIX)


def published(image: Reference, settings: Settings) -> Published:
    if image.path is not None:
        return _shared(image, image.path, settings)
    try:
        raw = manifest_of(located(image, settings), settings)
    except StatusError:  # it answers: that image is not to be had
        raise
    except TransferError as error:
        return Published(why=(error.message,))
    if raw is None:
        with opened_as(image, settings):  # a foreign one; raises where there is none
            return Published(answers=True)
    manifest = Manifest.from_bytes(raw)
    size = manifest.image_size_bytes + table_bytes(manifest.frame_count) + len(raw)
    return Published(manifest, answers=True, size_bytes=size)


def _shared(image: Reference, path: Path, settings: Settings) -> Published:
    """Of a file on a share, which the cache takes whatever it is."""
    with opened_as(image, settings):  # raises where there is none, or the site does not take it
        pass
    raw = own_files(path).read_manifest()
    full_sum = path.with_name(f"{path.name}.full.sum")
    return Published(
        Manifest.from_bytes(raw) if raw is not None else None,
        answers=True,
        size_bytes=path.stat().st_size,
        full_sum=read_whole(full_sum) if full_sum.is_file() else b"",
    )


def cached(name: str, there: Published, settings: Settings, tell: Tell) -> Cached:
    """Only reads; what the cache cannot take is not asked room for."""
    found = find_cache(list_disks(), has_cache_folders)
    if found is None:
        return Cached()
    with opened_cache(settings, Places.from_environment(), tell=tell) as cache:
        tell(cache.recovered)
        held = _held(_entry(cache.store, name), there)
        if not there.size_bytes:
            return Cached(cache.partition, held, Room.FOREIGN)
        when = WhenFull(settings.action_cache_full)
        has = cache.store.begun(name, there.key) if there.key else None
        room = _ROOM[allowed(cache.store, there.size_bytes, when, replaces=name, has=has)]
        return Cached(cache.partition, held, room)


def _entry(store: Store, name: str) -> Entry | None:
    try:
        return store.entry(name)
    except NotFoundError as error:
        if error.code is not OgErr.NOTFOUND:
            raise
        return None


def _held(entry: Entry | None, there: Published) -> Held:
    """Whether the entry is what is asked for: by its manifest, else by its full checksum.

    One that is known to be damaged counts as none: it is mended by bringing it.
    """
    if entry is None or entry.damaged:
        return Held.NONE
    if entry.damaged:
        return Held.OLDER
    files, head = entry.files or {}, entry.path.name
    if there.manifest is not None:
        stored = files.get(f"{head}.json")
        return Held.SAME if stored is not None and stored.blake3 == there.key else Held.OLDER
    return Held.SAME if _has_sum(entry, there) else Held.OLDER


def _has_sum(entry: Entry, there: Published) -> bool:
    """What a script copied there has no checksum of its own beside it, and is read for it."""
    if not there.full_sum:
        return False
    stored = (entry.files or {}).get(f"{entry.path.name}.full.sum")
    if stored is not None:
        return stored.blake3 == blake3(there.full_sum).hexdigest()
    if not entry.path.is_file() or entry.path.stat().st_size != there.size_bytes:
        return False
    with entry.path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return there.full_sum.split()[:1] == [found.encode()]
