# SPDX-License-Identifier: GPL-3.0-or-later
"""Which partition is the cache: a strict rule, for a wrong answer costs a user's data.

A partition is the cache when its table says so (GPT: a Linux partition named CACHE; MBR: type ca
or a7) and its content does not contradict: nothing recognised, or ext with the label CACHE.
Where the label or the table says CACHE alone, an ext filesystem must have the folders of a cache
inside. A label is something that a user gives; it is not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from oglib.cache.folder import IMAGES, PRIVATE
from oglib.cache.turn import gate
from oglib.disk import types
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError, OgErr, OgError, ProcessError
from oglib.filesystem.kind import Family
from oglib.filesystem.kinds import family_probed
from oglib.filesystem.mount import mounted
from oglib.filesystem.mounts import mountpoints_of

LABEL = "CACHE"
_LINUX = "LINUX"


class Sign(StrEnum):
    """What table and signature say of a partition."""

    CACHE = "it is the cache"
    CONTENT = "its content decides"
    OTHER = "it is not the cache"


@dataclass(frozen=True, slots=True)
class CachePartition:
    """The cache of this PC."""

    disk: Disk
    part: Partition

    def describe(self) -> str:
        return f"partition {self.part.number} of {self.disk.describe()}"


FolderProbe = Callable[[Disk, Partition], bool]


def sign_of(part: Partition) -> Sign:
    """What can be said without mounting anything; pure."""
    typed = part.type == types.CACHE
    if family_probed(part.filesystem) is Family.EXT:
        if typed and part.label == LABEL:
            return Sign.CACHE
        return (
            Sign.CONTENT if typed or (part.type == _LINUX and part.label == LABEL) else Sign.OTHER
        )
    return Sign.CACHE if typed and not part.filesystem else Sign.OTHER


def has_cache_folders(disk: Disk, part: Partition) -> bool:
    """Whether the folders of a cache are on the partition; it is only read.

    For whoever does not have the gate: this look is a mount, which others would find.
    """
    with gate():
        return has_cache_folders_in_gate(disk, part)


def has_cache_folders_in_gate(disk: Disk, part: Partition) -> bool:
    """As ``has_cache_folders``, for whoever has the gate."""
    with partition_device(disk, part) as device:
        points = mountpoints_of(device)
        if points:
            return _has_folders(points[0])
        try:
            with mounted(device, kind=part.filesystem) as point:
                return _has_folders(point)
        except (FilesystemError, ProcessError):
            return False  # what cannot be read is not taken for the cache


def _has_folders(point: Path) -> bool:
    return any((point / path).is_dir() for path in (IMAGES, PRIVATE))


def caches(
    disks: Sequence[Disk], has_folders: FolderProbe = has_cache_folders
) -> tuple[CachePartition, ...]:
    """Every partition that is a cache by the rule."""
    return tuple(
        CachePartition(disk, part)
        for disk in disks
        for part in disk.partitions
        if (sign := sign_of(part)) is Sign.CACHE
        or (sign is Sign.CONTENT and has_folders(disk, part))
    )


def find_cache(
    disks: Sequence[Disk], has_folders: FolderProbe = has_cache_folders
) -> CachePartition | None:
    """The cache of this PC; None when there is none. Several are refused, naming them."""
    found = caches(disks, has_folders)
    if len(found) > 1:
        raise OgError(
            f"This PC has several caches: {'; '.join(one.describe() for one in found)}.",
            hint="Take the others out, or delete them (`og cache delete --disk DISK`).",
            code=OgErr.CACHE,
        )
    return found[0] if found else None


def require_cache(
    disks: Sequence[Disk], has_folders: FolderProbe = has_cache_folders
) -> CachePartition:
    """The cache of this PC, or OG_ERR_NOTCACHE that names what looks like one and is none."""
    found = find_cache(disks, has_folders)
    if found is None:
        raise OgError(
            f"This PC has no cache.{_lookalikes(disks)}",
            hint="Make one with `og cache create SIZE`.",
            code=OgErr.NOTCACHE,
        )
    return found


def _lookalikes(disks: Sequence[Disk]) -> str:
    said = [
        f" Partition {part.number} of {disk.path} is called CACHE, but it holds "
        f"{part.filesystem or 'nothing'}{f' ({part.label})' if part.label else ''} without a "
        "cache's folders."
        for disk in disks
        for part in disk.partitions
        if part.type == types.CACHE or part.label == LABEL
    ]
    return "".join(said)


def lookalike_on(disk: Disk, cache: CachePartition | None) -> Partition | None:
    """A partition that the table calls CACHE and that is not ours to change."""
    for part in disk.partitions:
        if part.type == types.CACHE and (cache is None or part != cache.part):
            return part
    return None
