# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that mount and unmount filesystems for the scripts that call them.

Mountpoints are ``/mnt/sda1``. A partition is mounted for writing; one that is not safe to write
(a hibernated Windows, for one) read-only, with a warning: nothing on it is discarded for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oglib.disk import types
from oglib.disk.lock import refuse_locked
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError, NotFoundError, OgErr, OgError, PartitionError, UsageError
from oglib.filesystem.mount import mount_for_person, unmount_device
from oglib.filesystem.mounts import mountpoints_of
from oglib.shim.command import Answer, Command, command_of
from oglib.shim.target import disk_of, partition_of, warn

_CDROM = Path("/dev/cdrom")
_CALLED = ("CACHE", "CDROM")


def mount_of(disk: Disk, part: Partition) -> Path:
    """Where a partition is mounted, or is now; LOCKED, or PARTITION when it cannot be."""
    refuse_locked(disk, part, own_counts=True)
    name = part.path.name if part.path else f"{disk.path.name}p{part.number}"
    with partition_device(disk, part) as device:
        there = mountpoints_of(device)
        return there[0] if there else _mounted(device, name)


def unmount_of(disk: Disk, part: Partition) -> bool:
    """Unmount a partition wherever it is; whether it was mounted at all."""
    with partition_device(disk, part) as device:
        return bool(unmount_device(device))


def _mounted(device: Path, name: str) -> Path:
    try:
        return mount_for_person(device, name=name, write=True)
    except FilesystemError as error:
        refusal = error
    try:
        point = mount_for_person(device, name=name)
    except FilesystemError as error:
        raise PartitionError(error.message, hint=error.hint) from error
    warn(f"mounted read-only: {refusal}")
    return point


def _mount_fs(words: Sequence[str]) -> str:
    return str(mount_of(*partition_of(*words)))


def _mount(words: Sequence[str]) -> Answer:
    match [word.upper() for word in words]:
        case ["CACHE"]:
            return command_of("ogMountCache").run(())
        case ["CDROM"]:
            return _mount_cdrom(())
        case [_, _]:
            return _mount_fs(words)
    raise _which(words)


def _mount_first(words: Sequence[str]) -> str:
    disk = disk_of(words[0])
    for part in disk.partitions:
        try:
            return str(mount_of(disk, part))
        except OgError as error:
            if error.code is OgErr.LOCKED:
                raise
    raise NotFoundError(
        f"No partition of {disk.describe()} can be mounted.",
        hint="ogMountFs says why one cannot.",
    )


def _mount_cdrom(_words: Sequence[str]) -> str:
    try:
        return str(mount_for_person(_cdrom(), name=_CDROM.name))
    except FilesystemError as error:
        raise PartitionError(error.message, hint=error.hint) from error


def _cdrom() -> Path:
    if not _CDROM.exists():
        raise NotFoundError("This PC has no CD drive: there is no /dev/cdrom.")
    return _CDROM.resolve()


def _unmount_fs(words: Sequence[str]) -> None:
    disk, part = partition_of(*words)
    refuse_locked(disk, part, own_counts=True)
    _unmounted(disk, part, warns=True)


def _unmounted(disk: Disk, part: Partition, *, warns: bool) -> None:
    try:
        if not unmount_of(disk, part) and warns:
            warn(f"partition {part.number} of {disk.describe()} is not mounted")
    except FilesystemError as error:
        warn(str(error))


def _unmount(words: Sequence[str]) -> Answer:
    match [word.upper() for word in words]:
        case ["CACHE"]:
            return command_of("ogUnmountCache").run(())
        case ["CDROM"]:
            unmount_device(_cdrom())
            return None
        case [_, _]:
            _unmount_fs(words)
            return None
    raise _which(words)


def _unmount_all(words: Sequence[str]) -> None:
    disk = disk_of(words[0])
    refuse_locked(disk, own_counts=True)
    for part in disk.partitions:
        if part.type not in (types.CACHE, types.EXTENDED):
            _unmounted(disk, part, warns=False)


def _which(words: Sequence[str]) -> UsageError:
    return UsageError(
        f"{' '.join(words)!r} is neither a disk and a partition nor one of {' '.join(_CALLED)}."
    )


_ANYWHERE = "CACHE | CDROM | DISK PARTITION"
_KEEPS = (
    "Hibernation data is never discarded: such a Windows is mounted read-only, with a warning "
    "that says the remedy. A filesystem that cannot be mounted is PARTITION."
)

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogMount",
            _ANYWHERE,
            "mounts a filesystem and prints where",
            _mount,
            1,
            2,
            "ogMount 1 1 → /mnt/sda1",
            better=_KEEPS,
        ),
        Command(
            "ogMountFs",
            "DISK PARTITION",
            "mounts a partition and prints where",
            _mount_fs,
            2,
            2,
            "ogMountFs 1 1 → /mnt/sda1",
            better=_KEEPS,
        ),
        Command(
            "ogMountFirstFs",
            "DISK",
            "mounts the first partition of a disk that can be mounted and prints where",
            _mount_first,
            1,
            1,
            "ogMountFirstFs 1 → /mnt/sda1",
            better=_KEEPS,
        ),
        Command(
            "ogMountCdrom",
            "",
            "mounts the CD in the first drive and prints where",
            _mount_cdrom,
            example="ogMountCdrom → /mnt/cdrom",
            better="Any filesystem of a disc, UDF too.",
        ),
        Command(
            "ogUnmount",
            _ANYWHERE,
            "unmounts a filesystem; what cannot be unmounted is only a warning",
            _unmount,
            1,
            2,
            "ogUnmount 1 1",
        ),
        Command(
            "ogUnmountFs",
            "DISK PARTITION",
            "unmounts a partition; one that cannot be unmounted is only a warning",
            _unmount_fs,
            2,
            2,
            "ogUnmountFs 1 1",
        ),
        Command(
            "ogUnmountAll",
            "DISK",
            "unmounts every partition of a disk but the cache",
            _unmount_all,
            1,
            1,
            "ogUnmountAll 1",
            better="A locked partition is refused (LOCKED) before anything is unmounted.",
        ),
    )
}
