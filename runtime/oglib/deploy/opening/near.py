# SPDX-License-Identifier: GPL-3.0-or-later
"""The very bytes that the repository names, where this PC's cache has them already.

They are found by their digest, whatever the entry is called. It is held while it is read; the
network is asked for what it cannot give, and what it gives wrong is told and marked.
"""

from __future__ import annotations

from pathlib import Path

from oglib.cache.find import find_cache, has_cache_folders
from oglib.cache.model import Entry
from oglib.cache.store import Store
from oglib.deploy.opening.hold import Hold
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.places import NOTHING_NEAR, Near
from oglib.deploy.opening.reference import CACHE
from oglib.disk.probe import list_disks
from oglib.errors import ImageError, NotFoundError, OgErr, OgError
from oglib.image.format.manifest import Manifest
from oglib.image.reading.local import own_files
from oglib.settings import Settings
from oglib.transfer.places.place import File, Lent


def near_in_cache(
    manifest: Manifest, settings: Settings, memory: Memory | None
) -> tuple[Near, tuple[str, ...]]:
    """What the cache has of these bytes, held until its place is closed; and what to warn of."""
    if memory is None or not memory.uses_cache:
        return NOTHING_NEAR, ()

    def found(store: Store) -> Entry:
        return _with_digest(store, manifest)

    hold = Hold(settings, found, may_go=True)
    try:
        if find_cache(list_disks(), has_cache_folders) is None:
            return NOTHING_NEAR, ()
        entry = hold.take()
    except OgError as error:
        expected = error.code in (OgErr.NOTFOUND, OgErr.NOTCACHE)
        return NOTHING_NEAR, () if expected else (
            f"Whether the cache has {manifest.name} is not known: {error.message}",
        )
    memory.hold(hold)
    image = entry.path.parent / _files_with(entry, manifest.image_blake3)[0]
    lent = Lent(f"{CACHE}{entry.name}", image, _Lender(hold, image))
    table = own_files(image).frames
    return Near((lent,), (File(table),) if table.is_file() else ()), ()


def _with_digest(store: Store, manifest: Manifest) -> Entry:
    for entry in store.entries():
        if not entry.damaged and _files_with(entry, manifest.image_blake3):
            return entry
    raise NotFoundError(f"The cache does not have the bytes of {manifest.name}.")


def _files_with(entry: Entry, digest: str) -> list[str]:
    return [name for name, one in (entry.files or {}).items() if one.blake3 == digest]


class _Lender:
    """Gives what a hold reads; a disk that fails is as good as wrong bytes."""

    def __init__(self, hold: Hold, image: Path) -> None:
        self._hold = hold
        self._file = hold.source(image)

    def read(self, offset: int, length: int) -> bytes:
        try:
            return self._file.read(offset, length)
        except ImageError:
            if self._hold.is_taken:
                self._hold.blamed()
            raise

    def blamed(self) -> None:
        self._hold.blamed()

    def close(self) -> None:
        self._hold.let_go()
