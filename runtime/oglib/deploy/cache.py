# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache as use cases: opened with the proof that signed images allow, made, formatted, filled.

Joins what may not know each other: the cache's store and the image format.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib.cache.find import Found, find_cache, require_cache
from oglib.cache.model import Entry, Proof, Prove, StoredFile, WhenFull
from oglib.cache.partition import (
    Places,
    format_cache,
    is_formatted,
    mount_cache,
    mountpoints,
    plan_creation,
    unmount_cache,
)
from oglib.cache.proof import prove_by_sum
from oglib.cache.room import make_room
from oglib.cache.store import Store
from oglib.cache.survey import COMPANIONS
from oglib.disk.lock import held
from oglib.disk.model import Disk
from oglib.disk.planned import TablePlan
from oglib.disk.probe import list_disks, probe_target
from oglib.disk.table import apply_table
from oglib.errors import ImageError, NotFoundError, OgErr, UsageError
from oglib.settings import Settings

_SUFFIX = ".img"


@dataclass(frozen=True, slots=True)
class OpenCache:
    """A mounted cache; ``told`` is what had to be repaired or removed when it was opened."""

    found: Found
    store: Store
    told: tuple[str, ...]


def prove_image(keys_dir: Path) -> Prove:
    """The judge of what is stored: signature, frame table and digest of an image of ours.

    An image without a manifest is judged by its ``.full.sum``, or stays unproven.
    """

    def prove(head: Path, digests: Mapping[str, StoredFile]) -> Proof:
        if f"{head.name}.json" not in digests:
            return prove_by_sum(head, digests)
        # only where an image is judged: commands that mount the cache must start fast
        from oglib.image import load_public_keys, local_image  # noqa: PLC0415

        keys = load_public_keys(keys_dir) if keys_dir.is_dir() else []
        with (
            TemporaryDirectory(prefix="image-") as scratch,
            local_image(head, keys=keys, scratch=Path(scratch)) as image,
        ):
            if digests[head.name].blake3 != image.manifest.image_blake3:
                raise ImageError(
                    f"The image file of {image.manifest.name} does not match the digest in its "
                    "manifest.",
                    hint="Fetch or copy the image again.",
                )
            return Proof.SIGNED if image.signed_by else Proof.DIGESTS

    return prove


def open_store(
    root: Path, keys_dir: Path, *, since_mount: bool = False
) -> tuple[Store, tuple[str, ...]]:
    """The store mounted at ``root``, recovered; with what that had to do.

    ``since_mount``: it was mounted before, and scripts may be copying into it.
    """
    store = Store(root, prove=prove_image(keys_dir))
    return store, store.recover(since_mount=since_mount)


@contextmanager
def opened_cache(settings: Settings, places: Places) -> Iterator[OpenCache]:
    """The cache of this PC, mounted; one that was not mounted is unmounted again."""
    found = require_cache(list_disks())
    there = mountpoints(found)
    point, repaired = (there[0], ()) if there else mount_cache(found, places)
    try:
        store, recovered = open_store(point, settings.keys_dir, since_mount=bool(there))
        yield OpenCache(found, store, repaired + recovered)
    finally:
        if not there:
            unmount_cache(found, places)


def mount(keys_dir: Path, places: Places) -> tuple[Path, tuple[str, ...]]:
    """Mount the cache and leave it so, recovered and with the folders that scripts expect."""
    found = require_cache(list_disks())
    there = mountpoints(found)
    point, repaired = mount_cache(found, places)
    return point, repaired + open_store(point, keys_dir, since_mount=bool(there))[1]


def make(plan: TablePlan, places: Places) -> Found:
    """Write a planned cache and format it where it is not; a second run finishes a cut one."""
    _write(plan, places)
    found = require_cache(list_disks())
    if not is_formatted(found):
        format_empty(found, places)
    return require_cache(list_disks())


def remove(plan: TablePlan, places: Places) -> None:
    """Write a plan without the cache."""
    _write(plan, places)


def _write(plan: TablePlan, places: Places) -> None:
    """What uses the disk besides the cache's own mount is refused by ``apply_table``."""
    if plan.nothing_to_change:
        return
    disk = probe_target(plan.path)
    found = find_cache([disk])
    with held(disk):
        if found is not None and places.cache in mountpoints(found):
            unmount_cache(found, places)
        apply_table(plan)


def plan_making(disk: Disk, size_bytes: int, *, number: int | None = None) -> TablePlan:
    """What ``make`` will do."""
    return plan_creation(list_disks(), disk, size_bytes, number=number)


def format_empty(found: Found, places: Places) -> None:
    """A fresh cache with an empty store; mounted again where it was mounted."""
    with held(found.disk, found.part):
        was_mounted = unmount_cache(found, places)
        format_cache(found)
    fresh = require_cache(list_disks())
    point, _ = mount_cache(fresh, places)
    Store(point)
    if not was_mounted:
        unmount_cache(fresh, places)


def add_file(
    cache: OpenCache, image: Path, name: str, when_full: WhenFull, places: Places
) -> tuple[Entry, tuple[str, ...]]:
    """Store a local image and the files beside it; says what was evicted for it."""
    if image.suffix != _SUFFIX:
        raise UsageError(f"{image} is not named NAME{_SUFFIX}.")
    if not image.is_file():
        raise NotFoundError(f"There is no image {image}.", code=OgErr.IMAGEFILE)
    beside = [image.with_name(image.name + suffix) for suffix in COMPANIONS]
    files = [image, *(path for path in beside if path.is_file())]
    size = sum(path.stat().st_size for path in files)

    def reformat() -> None:
        format_empty(cache.found, places)

    said = make_room(cache.store, size, when_full, replaces=name, reformat=reformat)
    leaf = name.rpartition("/")[2]

    def fill(folder: Path) -> None:
        for path in files:
            suffix = path.name.removeprefix(image.name)
            shutil.copyfile(path, folder / f"{leaf}{_SUFFIX}{suffix}")

    return cache.store.publish(name, fill), said
