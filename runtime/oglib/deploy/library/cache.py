# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache as use cases: opened with the proof that signed images allow, made, formatted, filled.

Joins what may not know each other: the cache's store and the image format.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.cache.find import CachePartition, find_cache, has_cache_folders_in_gate, require_cache
from oglib.cache.model import Entry, WhenFull
from oglib.cache.partition import (
    Places,
    check_cache,
    format_cache,
    is_formatted,
    mount_cache,
    mountpoints,
    plan_creation,
    unmount_cache,
)
from oglib.cache.room import make_room
from oglib.cache.store import Store
from oglib.cache.survey import COMPANIONS
from oglib.cache.turn import Tell, Turn, User, gate, refuse_unmounted, silent
from oglib.deploy.library.proofs import prove_image
from oglib.disk.lock import held, refuse_locked
from oglib.disk.model import Disk
from oglib.disk.planning.planned import TablePlan
from oglib.disk.probe import list_disks, probe_target
from oglib.disk.writing.table import apply_table, refuse_busy
from oglib.errors import NotFoundError, OgErr, PartitionError, UsageError
from oglib.run import undisturbed
from oglib.settings import Settings

_SUFFIX = ".img"


@dataclass(frozen=True, slots=True)
class OpenCache:
    """A mounted cache; ``recovered`` is what had to be repaired or removed when it was opened."""

    partition: CachePartition
    store: Store
    recovered: tuple[str, ...]
    user: User | None = None


def open_store(
    root: Path, keys_dir: Path, *, since_mount: bool = False
) -> tuple[Store, tuple[str, ...]]:
    """The store mounted at ``root``, recovered; with what that had to do.

    ``since_mount``: it was mounted before, and scripts may be copying into it.
    """
    store = Store(root, prove=prove_image(keys_dir))
    return store, store.recover(since_mount=since_mount)


@contextmanager
def opened_cache(
    settings: Settings, places: Places, *, check: bool = False, tell: Tell = silent
) -> Iterator[OpenCache]:
    """The cache of this PC, mounted; who leaves it last unmounts what was mounted for this alone.

    ``check``: its filesystem is checked before, where nobody has it mounted. ``tell`` is told
    for whom this waits.
    """
    with gate(tell) as turn:
        cache = _the_cache()
        there = mountpoints(cache)
        said: tuple[str, ...] = ()
        if check and not there and check_cache(cache):
            said = ("repaired the cache's filesystem",)
        if not there:
            turn.mark_next(places.cache)
        point, repaired = (there[0], ()) if there else mount_cache(cache, places)
        try:
            if not there:
                turn.mark(point)
            user = turn.enter(point)
            try:
                store, recovered = open_store(point, settings.keys_dir, since_mount=bool(there))
            except BaseException:
                user.leave()
                raise
        except BaseException:
            if not there:
                unmount_cache(cache, places)
            raise
    try:
        yield OpenCache(cache, store, said + repaired + recovered, user)
    finally:
        user.leave()
        with undisturbed(), gate(tell) as turn:
            if turn.is_alone() and turn.is_marked(point):
                unmount_cache(cache, places)
                turn.unmark()


def _the_cache() -> CachePartition:
    """For whoever has the gate."""
    return require_cache(list_disks(), has_cache_folders_in_gate)


def mount(keys_dir: Path, places: Places, *, tell: Tell = silent) -> tuple[Path, tuple[str, ...]]:
    """Mount the cache and leave it so, recovered and with the folders that scripts expect."""
    with gate(tell) as turn:
        cache = _the_cache()
        there = mountpoints(cache)
        point, repaired = mount_cache(cache, places)
        turn.unmark()  # also what another command mounted for its own work stays from now on
        refuse_unmounted(point)
        return point, repaired + open_store(point, keys_dir, since_mount=bool(there))[1]


def unmount(places: Places, *, tell: Tell = silent) -> bool:
    """Undo ``mount``, when nobody works in the cache any more; False: it was not mounted."""
    with gate(tell) as turn:
        cache = _the_cache()
        if not mountpoints(cache):
            return False
        turn.wait_alone()
        turn.unmark()
        return unmount_cache(cache, places)


@contextmanager
def put_away(disk: Disk, places: Places, *, tell: Tell = silent) -> Iterator[None]:
    """A block in which a cache on ``disk`` is not mounted, and nobody can mount it."""
    with gate(tell) as turn:
        cache = find_cache([disk], has_cache_folders_in_gate)
        if cache is not None:
            turn.wait_alone()
            turn.unmark()
            unmount_cache(cache, places)
        yield


def check_free(disk: Disk, cache: CachePartition | None) -> None:
    """Raise while somebody uses the disk besides the cache itself, which is unmounted for work."""
    own = cache.part.number if cache is not None and cache.disk.path == disk.path else 0
    others = tuple(part for part in disk.partitions if part.number != own)
    refuse_busy(replace(disk, partitions=others))


def check_formattable(cache: CachePartition) -> None:
    """Raise while the cache's partition may not be written, or a script has locked it."""
    if cache.disk.read_only:
        raise PartitionError(f"{cache.disk.describe()} is read-only.", code=OgErr.NOTWRITE)
    refuse_locked(cache.disk, cache.part)


def make(plan: TablePlan, places: Places, *, tell: Tell = silent) -> CachePartition:
    """Write a planned cache and format it where it is not; a second run finishes a cut one."""
    with gate(tell) as turn:
        _write(plan, places, turn)
        cache = _the_cache()
        if not cache.part.filesystem:
            turn.wait_alone()
            if not is_formatted(cache):
                _format(cache, places, turn)
        return _the_cache()


def remove(plan: TablePlan, places: Places, *, tell: Tell = silent) -> None:
    """Write a plan without the cache."""
    with gate(tell) as turn:
        _write(plan, places, turn)


def _write(plan: TablePlan, places: Places, turn: Turn) -> None:
    """What uses the disk besides the cache's own mount is refused by ``apply_table``."""
    if plan.nothing_to_change:
        return
    turn.wait_alone()
    disk = probe_target(plan.path)
    cache = find_cache([disk], has_cache_folders_in_gate)
    with held(disk):
        if cache is not None and places.cache in mountpoints(cache):
            turn.unmark()
            unmount_cache(cache, places)
        apply_table(plan)


def plan_making(disk: Disk, size_bytes: int, *, number: int | None = None) -> TablePlan:
    """What ``make`` will do."""
    return plan_creation(list_disks(), disk, size_bytes, number=number)


def format_empty(
    places: Places, *, user: User | None = None, stays: bool = False, tell: Tell = silent
) -> None:
    """A fresh cache with an empty store; mounted again where it was mounted.

    ``user``: the caller itself works in it, and goes on in the fresh one. ``stays``: it is left
    mounted in any case.
    """
    with gate(tell) as turn:
        cache = _the_cache()
        turn.wait_alone(user)
        if user:
            user.release_root()
        _format(cache, places, turn, stays=stays)
        if user:
            turn.share_again(user)


def _format(cache: CachePartition, places: Places, turn: Turn, *, stays: bool = False) -> None:
    """For whoever has the gate and is alone."""
    there = mountpoints(cache)
    marked = bool(there) and turn.is_marked(there[0])
    with held(cache.disk, cache.part):
        unmount_cache(cache, places)
        format_cache(cache)
    turn.unmark()
    fresh = _the_cache()
    point, _ = mount_cache(fresh, places)
    refuse_unmounted(point)
    Store(point)
    if not there and not stays:
        unmount_cache(fresh, places)
    elif marked and not stays:
        turn.mark(point)


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
        format_empty(places, user=cache.user)

    said = make_room(cache.store, size, when_full, replaces=name, reformat=reformat)
    leaf = name.rpartition("/")[2]

    def fill(folder: Path) -> None:
        for path in files:
            suffix = path.name.removeprefix(image.name)
            shutil.copyfile(path, folder / f"{leaf}{_SUFFIX}{suffix}")

    return cache.store.publish(name, fill), said
