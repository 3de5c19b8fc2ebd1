# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache's partition: plan it, format it, mount it where old scripts look for it.

Other partitions stay byte-identical: the planner keeps them. What is mounted stays mounted until
``unmount_cache``: in ogLive the cache is a place that many commands share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from oglib.cache.find import LABEL, CachePartition, find_cache, lookalike_on
from oglib.disk import types
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB, Disk, TableKind
from oglib.disk.planning.cache_partition import plan_cache
from oglib.disk.planning.edit import with_type, without
from oglib.disk.planning.planned import TablePlan
from oglib.errors import FilesystemError, OgErr, OgError, PartitionError, UsageError
from oglib.filesystem.make import make_with
from oglib.filesystem.mount import mount_at, unmount
from oglib.filesystem.mounts import mountpoints_of, refuse_in_use
from oglib.run import run

LEAST_BYTES = 25_000 * 512  # the old engine's 25000 sectors

# What the oldest ogLives' kernels (3.2) and GRUBs can read. metadata_csum needs 3.6 and its seed
# 4.4, orphan_file 5.15; 64bit is only of use beyond 16 TiB. uninit_bg keeps mkfs and fsck fast.
_FEATURES = "extent,large_file,uninit_bg,^metadata_csum,^metadata_csum_seed,^64bit,^orphan_file"
_FORMAT = ("mkfs.ext4", "-q", "-F", "-m", "0", "-L", LABEL, "-O", _FEATURES)
_E2FSCK_SOUND = (0, 1, 2)  # 1, 2: errors were corrected


@dataclass(frozen=True, slots=True)
class Places:
    """Where the cache is mounted, and where a link named like its device leads there."""

    cache: Path = Path("/opt/opengnsys/cache")
    mnt: Path = Path("/mnt")

    @classmethod
    def from_environment(cls) -> Places:
        """``OGCAC``, as loadenviron.sh sets it for scripts."""
        return cls(cache=Path(os.environ.get("OGCAC") or cls().cache))


def plan_creation(
    disks: Sequence[Disk], disk: Disk, size_bytes: int, *, number: int | None = None
) -> TablePlan:
    """A cache of ``size_bytes`` at the end of ``disk``; nothing to change when it is there.

    Raises OG_ERR_FORMAT for a size too small, and for a partition table that is missing, foreign
    or without room the planner's errors. A cache on another disk is refused.
    """
    if size_bytes < LEAST_BYTES:
        raise UsageError(
            f"A cache of {size_bytes} bytes is too small: at least {LEAST_BYTES} are needed."
        )
    cache = find_cache(disks)
    if cache is not None and cache.disk.path != disk.path:
        raise OgError(
            f"This PC has a cache already: {cache.describe()}.",
            hint="Delete it first (`og cache delete`), or create this one on the same disk.",
            code=OgErr.CACHE,
        )
    _refuse_lookalike(disk, cache)
    if disk.table not in (TableKind.GPT, TableKind.MSDOS):
        raise PartitionError(
            f"{disk.describe()} has no partition table for a cache.",
            hint="Write one with `og disk apply`.",
        )
    if cache is not None and cache.part.type != types.CACHE:
        return _plan_untyped(cache, size_bytes)
    return plan_cache(disk, size_bytes, number=number)


def _plan_untyped(cache: CachePartition, size_bytes: int) -> TablePlan:
    """A cache that is known by its label and folders alone: the table is told of it."""
    sector = cache.disk.logical_sector_bytes
    if cache.part.size_bytes != -(-size_bytes // sector) * sector:
        raise PartitionError(
            f"The cache, {cache.describe()}, has {cache.part.size_bytes} bytes, not {size_bytes}.",
            hint="Delete it first (`og cache delete`), then create it anew.",
        )
    return with_type(cache.disk, cache.part.number, types.CACHE)


def plan_deletion(cache: CachePartition) -> TablePlan:
    """The disk without its cache; every other partition stays."""
    _refuse_lookalike(cache.disk, cache)
    return without(cache.disk, cache.part.number)


def _refuse_lookalike(disk: Disk, cache: CachePartition | None) -> None:
    other = lookalike_on(disk, cache)
    if other is not None:
        raise PartitionError(
            f"Partition {other.number} of {disk.describe()} is called CACHE, but it holds "
            f"{other.filesystem} that is no cache, so it is not touched.",
            hint="Give it another name or type, or delete it by hand.",
        )


def format_cache(cache: CachePartition) -> None:
    """A fresh, empty filesystem on the cache's partition, which must not be mounted."""
    with partition_device(cache.disk, cache.part) as device:
        refuse_in_use(device, "formatted", code=OgErr.DONTFORMAT)
        make_with((*_FORMAT, device), device, "the cache", code=OgErr.CACHE)


def mountpoints(cache: CachePartition) -> tuple[Path, ...]:
    """Where the cache is mounted now; empty when it is not."""
    with partition_device(cache.disk, cache.part) as device:
        return mountpoints_of(device)


def mount_cache(cache: CachePartition, places: Places) -> tuple[Path, tuple[str, ...]]:
    """Mount for writing where scripts look for it, also when it is mounted elsewhere already.

    A filesystem that cannot be mounted is repaired once, which is told in the second value.
    """
    with partition_device(cache.disk, cache.part) as device:
        if places.cache in mountpoints_of(device):
            return places.cache, ()
        if not cache.part.filesystem and is_blank(device):
            raise FilesystemError(
                f"The cache, {cache.describe()}, is not formatted.",
                hint="Format it with `og cache format`.",
                code=OgErr.PARTITION,
            )
        places.cache.mkdir(parents=True, exist_ok=True)
        if places.cache.is_mount():
            raise FilesystemError(
                f"Something else is mounted at {places.cache}.",
                hint="Unmount it first.",
                code=OgErr.LOCKED,
            )
        said = mount_or_repair(device, places.cache)
        _link(places.mnt / _node_name(cache), places.cache)
    return places.cache, said


def mount_or_repair(device: Path, point: Path) -> tuple[str, ...]:
    """Mount an ext filesystem for writing; one that cannot be is repaired first, which is told.

    A power cut can tear the superblock, which ext4 writes in place; e2fsck knows its copies.
    Nothing is ever formatted for that.
    """
    try:
        mount_at(device, point, write=True, kind="ext4", options="noatime")
    except FilesystemError as first:
        if not repair(device):
            raise
        mount_at(device, point, write=True, kind="ext4", options="noatime")
        return (f"repaired the cache's filesystem: {first.message}",)
    return ()


def repair(device: Path) -> bool:
    """Check an unmounted ext filesystem, from a copy of its superblock if need be.

    True when something was repaired; raises FilesystemError when it is beyond repair.
    """
    refuse_in_use(device, "checked")
    done = run("e2fsck", "-f", "-y", device, accept=range(256))
    if done.status not in _E2FSCK_SOUND:
        raise FilesystemError(
            f"The cache's filesystem on {device} is damaged: e2fsck ended with status "
            f"{done.status}: {' '.join((done.stdout + done.stderr).split())[-400:]}.",
            hint="Its images are lost: `og cache format` makes it new.",
            code=OgErr.CACHE,
        )
    return done.status != 0


def is_blank(device: Path) -> bool:
    """Whether nobody ever wrote here: a new partition begins with a MiB of zeros."""
    with device.open("rb") as file:
        return not any(file.read(MIB))


def _node_name(cache: CachePartition) -> str:
    """``sda4``; of an image file the same name as ``ogMount`` gives it."""
    path = cache.part.path
    return path.name if path else f"{cache.disk.path.name}p{cache.part.number}"


def _link(link: Path, point: Path) -> None:
    """``/mnt/sda4`` leads to the cache; a folder that a mount left there gives way if empty."""
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        link.rmdir()
    if link.is_symlink():
        link.unlink()
    if not link.exists():
        link.symlink_to(point)


def unmount_cache(cache: CachePartition, places: Places) -> bool:
    """Undo ``mount_cache``; False when it was not mounted."""
    with partition_device(cache.disk, cache.part) as device:
        points = mountpoints_of(device)
        for point in reversed(points):
            try:
                unmount(point)
            except FilesystemError as error:
                raise FilesystemError(error.message, hint=error.hint, code=OgErr.LOCKED) from error
    if places.mnt.is_dir():
        for link in places.mnt.iterdir():
            if link.is_symlink() and link.readlink() == places.cache:
                link.unlink()
    return bool(points)


def check_cache(cache: CachePartition) -> bool:
    """Check the filesystem of an unmounted cache; whether something was repaired."""
    with partition_device(cache.disk, cache.part) as device:
        return repair(device)


def is_formatted(cache: CachePartition) -> bool:
    """Whether there is a filesystem, if need be after a repair from a copy of its superblock.

    Nothing recognised does not mean empty: what can be saved is not formatted by the way.
    """
    if cache.part.filesystem:
        return True
    with partition_device(cache.disk, cache.part) as device:
        if is_blank(device):
            return False
        try:
            return repair(device)
        except FilesystemError:
            return False
