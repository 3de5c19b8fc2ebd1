# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring an image of the repository into the cache, where it replaces an older version.

What is signed, and whether the site allows it unsigned, is judged before anything is evicted;
the bytes are judged again when they lie in the cache, before they become an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from oglib.cache.model import Entry, WhenFull
from oglib.cache.partition import Places
from oglib.cache.room import make_room
from oglib.cancel import NEVER, Cancel
from oglib.deploy.library.cache import OpenCache, format_empty
from oglib.deploy.opening import memory as memories
from oglib.deploy.opening.fetching import fetch_frames, keys_of, signature_of
from oglib.deploy.opening.finding import located
from oglib.deploy.opening.opened import opened_frames
from oglib.deploy.opening.places import frames_of, image_of
from oglib.deploy.opening.reference import Reference, resolve
from oglib.errors import NotFoundError, OgErr, UsageError
from oglib.image.reading.opened import OpenImage
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.transfer.places.whole import bring
from oglib.transfer.repository import addresses_of


@dataclass(frozen=True, slots=True)
class Updated:
    """``changed`` is False when this version was there already; ``said``: what was evicted.

    ``recovered``: what had to be repaired or removed when the cache was opened.
    """

    entry: Entry
    version: int
    changed: bool
    said: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()


def update_cache(
    text: str,
    cache: OpenCache,
    *,
    settings: Settings,
    places: Places,
    progress: Progress,
    cancel: Cancel = NEVER,
) -> Updated:
    """Store the image that ``text`` names, by a name in the repository or by its address."""
    reference = located(resolve(text, settings), settings)
    if not reference.url:
        raise UsageError(f"{text} is a local file.", hint="Store it with `og cache add`.")
    memory = memories.of_store(cache.store)
    with opened_frames(text, settings, memory) as image:
        manifest = image.manifest
        present = _same_version(cache, reference.name, manifest.to_bytes())
        if present is not None:
            return Updated(present, manifest.version, changed=False, said=memory.keep())
        size = manifest.image_size_bytes + image.frames.size_bytes
        said = make_room(
            cache.store,
            size,
            WhenFull(settings.action_cache_full),
            replaces=reference.name,
            reformat=lambda: format_empty(places, user=cache.user),
        )

        def fill(folder: Path) -> None:
            with progress.phase("fetch", manifest.image_size_bytes) as phase:

                def came(count: int) -> None:
                    cancel.check()
                    phase.advance(count)

                _fetch(reference, image, folder, settings, came)

        entry = cache.store.publish(reference.name, fill)
    return Updated(entry, manifest.version, changed=True, said=(*said, *memory.keep()))


def _same_version(cache: OpenCache, name: str, manifest: bytes) -> Entry | None:
    """The whole entry whose manifest is exactly this one; its digests are those of its files."""
    try:
        entry = cache.store.entry(name)
    except NotFoundError as error:
        if error.code is not OgErr.NOTFOUND:
            raise
        return None
    stored = (entry.files or {}).get(f"{entry.path.name}.json")
    return entry if stored and stored.blake3 == blake3(manifest).hexdigest() else None


def _fetch(
    reference: Reference,
    image: OpenImage,
    folder: Path,
    settings: Settings,
    came: Callable[[int], None],
) -> None:
    urls, connection = addresses_of(reference.url), settings.connection
    leaf = reference.name.rpartition("/")[2]
    manifest = image.manifest.to_bytes()
    (folder / f"{leaf}.img.json").write_bytes(manifest)
    signature = signature_of(urls.signature, manifest, keys_of(settings), connection)
    if signature is not None:
        (folder / f"{leaf}.img.json.sig").write_bytes(signature)
    table = frames_of(reference, image.manifest, settings)
    fetch_frames(table, folder / f"{leaf}.img.frames", urls.frames, connection)
    body = image_of(reference, image.manifest, settings)
    bring(
        body.wanted,
        body.places,
        folder / f"{leaf}.img",
        where=urls.image,
        connection=connection,
        on_bytes=came,
    )
