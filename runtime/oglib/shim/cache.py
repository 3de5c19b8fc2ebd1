# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands of Cache.lib: the cache's partition, by no arguments or by disk and number.

They never ask. What a cache is, is decided by the strict rule of ``oglib.cache.find``: a data
partition that someone labelled CACHE is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from oglib.cache.find import CachePartition, find_cache
from oglib.cache.partition import Places, plan_creation, plan_deletion
from oglib.deploy.library.cache import format_empty, mount, put_away, unmount
from oglib.disk import types
from oglib.disk.lock import refuse_locked
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.planning.cache_partition import cache_room
from oglib.disk.planning.planned import TablePlan, bounds_of
from oglib.disk.probe import list_disks
from oglib.errors import OgErr, OgError, PartitionError, UsageError
from oglib.settings import KEYS_DIR
from oglib.shim.command import Answer, Command, positive
from oglib.shim.target import disk_of, warn

_KIB = 1024
_USUAL_DISK = "1"
_LAST_OF_A_SYSTEM = 3


def _tell(facts: Sequence[str]) -> None:
    warn(*facts)


def _the_cache() -> CachePartition:
    cache = find_cache(list_disks())
    if cache is None:
        raise PartitionError(
            "This PC has no cache.", hint="Make one with ogCreateCache or `og cache create`."
        )
    return cache


def _create(words: Sequence[str]) -> None:
    disk = disk_of(words[0] if len(words) > 1 else _USUAL_DISK)
    number = positive(words[1], "The partition") if len(words) > 2 else None
    size = positive(words[-1], "The size in KB") * _KIB
    room = cache_room(disk)
    if disk.table is not TableKind.NONE and size > room:
        raise UsageError(
            f"A cache of {size // _KIB} KB does not fit on {disk.describe()}: behind its other "
            f"partitions there are {room // _KIB} KB."
        )
    _change(disk, plan_creation(list_disks(), disk, size, number=number))


def _delete(_words: Sequence[str]) -> None:
    cache = _the_cache()
    _change(cache.disk, plan_deletion(cache))


def _change(disk: Disk, plan: TablePlan) -> None:
    # a sibling, and only for this: most of these commands change no table
    from oglib.shim.disk_change import change_table  # noqa: PLC0415

    places = Places.from_environment()
    cache = find_cache([disk])
    if cache is None or plan.nothing_to_change:
        change_table(disk, plan, _not_the_cache)
        return
    refuse_locked(cache.disk, cache.part)
    with put_away(disk, places, tell=_tell):
        change_table(disk, plan, _not_the_cache)


def _not_the_cache(part: Partition) -> bool:
    return part.type != types.CACHE


def _find(_words: Sequence[str]) -> Answer:
    cache = find_cache(list_disks())
    if cache is None:
        return int(OgErr.NOTFOUND)
    return f"{cache.disk.number} {cache.part.number}"


def _format(_words: Sequence[str]) -> None:
    _the_cache()
    format_empty(Places.from_environment(), stays=True, tell=_tell)


def _size(_words: Sequence[str]) -> str:
    return str(_the_cache().part.size_bytes // _KIB)


def _space(_words: Sequence[str]) -> str:
    disk = _the_cache().disk
    bounds = bounds_of(disk, disk.table)
    end_bytes = bounds.end * bounds.sector_bytes
    third = [part for part in disk.partitions if part.number == _LAST_OF_A_SYSTEM]
    begin_bytes = third[0].end_bytes if third else 0
    if begin_bytes <= disk.size_bytes // 2:
        begin_bytes = end_bytes - disk.size_bytes // 2
    return str(max(0, end_bytes - begin_bytes) // _KIB)


def _mount(_words: Sequence[str]) -> str:
    cache = _the_cache()
    refuse_locked(cache.disk, cache.part)
    try:
        point, recovered = mount(KEYS_DIR, Places.from_environment(), tell=_tell)
    except OgError as error:
        raise PartitionError(error.message, hint=error.hint) from error
    for said in recovered:
        warn(said)
    return str(point)


def _unmount(_words: Sequence[str]) -> None:
    cache = find_cache(list_disks())
    if cache is None:
        warn("this PC has no cache")  # scripts unmount it before anything else
        return
    refuse_locked(cache.disk, cache.part)
    if not unmount(Places.from_environment(), tell=_tell):
        warn("the cache was not mounted")


_STRICT = (
    "A data partition that someone labelled CACHE is not taken for the cache; several caches are "
    "refused, naming them."
)

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCreateCache",
            "[DISK [PARTITION]] KB",
            "makes the partition of the cache at the end of a disk (default: disk 1, partition 4)",
            _create,
            1,
            3,
            "ogCreateCache 10000000",
            "1 MiB alignment on every disk. A cache of this size that is there stays as it is; "
            "other partitions stay byte-identical. A disk without a table is an error (PARTITION); "
            "the old function did nothing.",
        ),
        Command(
            "ogDeleteCache",
            "",
            "removes the partition of the cache",
            _delete,
            example="ogDeleteCache",
            better=_STRICT,
        ),
        Command(
            "ogFindCache",
            "",
            "prints disk and partition of the cache",
            _find,
            example="ogFindCache",
            better=f"{_STRICT} No cache is exit code 2, never 1, which is a wrong call.",
        ),
        Command(
            "ogFormatCache",
            "",
            "makes the cache an empty ext4 with the folder of images, and mounts it",
            _format,
            example="ogFormatCache",
        ),
        Command(
            "ogGetCacheSize",
            "",
            "prints the size of the cache's partition in KB",
            _size,
            example="ogGetCacheSize",
        ),
        Command(
            "ogGetCacheSpace",
            "",
            "prints how many KB a cache on the disk of the cache can have at most",
            _space,
            example="ogGetCacheSpace",
            better="Counts up to the last whole MiB, where a partition can end; not to a cylinder.",
        ),
        Command(
            "ogMountCache",
            "",
            "mounts the cache and prints where",
            _mount,
            example="ogMountCache",
            better="Removes what a power cut left half, and says so.",
        ),
        Command(
            "ogUnmountCache",
            "",
            "unmounts the cache",
            _unmount,
            example="ogUnmountCache",
            better="A cache in use is an error (LOCKED), not a success.",
        ),
    )
}
