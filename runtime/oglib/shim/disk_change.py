# SPDX-License-Identifier: GPL-3.0-or-later
"""How the old commands change a partition table: planned, the disk locked and free, then written.

ogLive keeps the cache mounted, and the table of a disk in use is not written. So what is mounted
of the disk is unmounted for the change and mounted again where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oglib.disk import types
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.planning.planned import TablePlan
from oglib.disk.probe import probe_target
from oglib.disk.writing.table import apply_table
from oglib.errors import FilesystemError, OgErr
from oglib.filesystem.mount import mount_at, unmount_device
from oglib.filesystem.mounts import mounts_of
from oglib.filesystem.probe import row_on


@dataclass(frozen=True, slots=True)
class _Was:
    """A mount to come back: known by where the partition begins, for numbers may change."""

    start_bytes: int
    point: Path
    read_only: bool


def everything(_part: Partition) -> bool:
    """All that was mounted comes back."""
    return True


def only_the_cache(part: Partition) -> bool:
    """What is partitioned anew is left unmounted; the cache was kept and comes back."""
    return part.type == types.CACHE


def change_table(disk: Disk, plan: TablePlan, comes_back: Callable[[Partition], bool]) -> Disk:
    """Write ``plan`` and return the disk as it is then; raises as ``apply_table``, and LOCKED.

    ``comes_back`` says which of the mounted partitions are mounted again afterwards.
    """
    if plan.nothing_to_change:
        return disk
    with held(disk), unmounted(disk, comes_back):
        return apply_table(plan)


@contextmanager
def unmounted(
    disk: Disk,
    comes_back: Callable[[Partition], bool],
    goes: Callable[[Partition], bool] = everything,
) -> Iterator[None]:
    """A block in which nothing of the disk is mounted; what ``comes_back`` is mounted again.

    ``goes``: of which partitions this is so, where the others may stay.
    """
    was: list[_Was] = []
    try:
        for part in disk.partitions:
            if part.mountpoints and goes(part):
                was += _unmount(disk, part, comes_back(part))
        yield
    finally:
        now = {part.start_bytes: part for part in probe_target(disk.path).partitions} if was else {}
        for mount in was:
            if mount.start_bytes in now:
                _mount_again(disk, now[mount.start_bytes], mount)


def _unmount(disk: Disk, part: Partition, comes_back: bool) -> list[_Was]:
    with partition_device(disk, part) as device:
        mounts = mounts_of(device)
        try:
            unmount_device(device)
        except FilesystemError as error:
            raise FilesystemError(error.message, hint=error.hint, code=OgErr.LOCKED) from error
    return [_Was(part.start_bytes, mount.point, mount.read_only) for mount in mounts if comes_back]


def _mount_again(disk: Disk, part: Partition, was: _Was) -> None:
    was.point.mkdir(parents=True, exist_ok=True)
    with partition_device(disk, part) as device:
        kind = row_on(device).mount_type
        mount_at(device, was.point, write=not was.read_only, kind=kind)
