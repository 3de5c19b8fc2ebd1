# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that ask what is on a partition and where it is mounted; none of them writes."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.disk import types
from oglib.disk.loop import partition_device
from oglib.errors import FilesystemError, PartitionError, UsageError
from oglib.filesystem.mounts import Mount, mounts_of
from oglib.filesystem.probe import probe_filesystem
from oglib.filesystem.sizes import Usage, usage_of
from oglib.shim.command import Answer, Command
from oglib.shim.target import device_of, partition_of, warn, yes_or_no

_UNITS = {"KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_MEMBER = ("_member", "_MEMBER")  # blkid's word for parts of LVM, RAID, ZFS, VMFS
_UNITS_ARE = "KB is 1024 bytes, MB 1024 KB and so on; cut to whole units."


def size_in_kb(disk: str, part: str) -> int:
    """The size of a filesystem as ``df`` tells it; 0 where it cannot be mounted, with a warning."""
    return _size_bytes(disk, part) // _UNITS["KB"]


def _size_bytes(disk: str, part: str) -> int:
    with device_of(disk, part) as device:
        try:
            return usage_of(device).size_bytes
        except FilesystemError as error:
            warn(str(error))
            return 0


def mounted_usage_of(disk: str, part: str) -> Usage:
    """Size, used and free of a filesystem; what cannot be mounted is OG_ERR_PARTITION."""
    with device_of(disk, part) as device:
        try:
            return usage_of(device)
        except FilesystemError as error:
            raise PartitionError(error.message, hint=error.hint) from error


def _type(words: Sequence[str]) -> Answer:
    disk, part = partition_of(*words)
    with partition_device(disk, part) as device:
        found = probe_filesystem(device).mnemonic
    if not found:
        return False
    # the cache is an ext filesystem on the partition kept for it, whatever label users give theirs
    return types.CACHE if part.type == types.CACHE and found.startswith("EXT") else found


def _size(words: Sequence[str]) -> str:
    unit = _unit(words[2]) if len(words) == 3 else _UNITS["KB"]
    return str(_size_bytes(words[0], words[1]) // unit)


def _free(words: Sequence[str]) -> str:
    unit = _unit(words[2]) if len(words) == 3 else _UNITS["KB"]
    usage = mounted_usage_of(words[0], words[1])
    if unit == _UNITS["KB"]:
        return str(usage.free_bytes // unit)
    sizes = (usage.size_bytes, usage.used_bytes, usage.free_bytes)
    return ":".join(str(size // unit) for size in sizes)


def _unit(word: str) -> int:
    try:
        return _UNITS[word.upper()]
    except KeyError:
        raise UsageError(
            f"{word!r} is not a unit of size.", hint=f"Known: {' '.join(_UNITS)}."
        ) from None


def _mount(words: Sequence[str]) -> Mount | None:
    with device_of(*words) as device:
        return next(iter(mounts_of(device)), None)


def _mount_point(words: Sequence[str]) -> Answer:
    mount = _mount(words)
    return str(mount.point) if mount else False


@yes_or_no
def _is_formatted(words: Sequence[str]) -> bool:
    with device_of(*words) as device:
        found = probe_filesystem(device)
    # swap and the members of something larger hold no files
    return bool(found.kind) and found.name != "swap" and not found.kind.endswith(_MEMBER)


@yes_or_no
def _is_mounted(words: Sequence[str]) -> bool:
    return _mount(words) is not None


@yes_or_no
def _is_read_only(words: Sequence[str]) -> bool:
    mount = _mount(words)
    return mount is not None and mount.read_only


@yes_or_no
def _is_writable(words: Sequence[str]) -> bool:
    mount = _mount(words)
    return mount is not None and not mount.read_only


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogGetFsType",
            "DISK PARTITION",
            "prints the kind of the filesystem; exit code 1 when there is none",
            _type,
            2,
            2,
            "ogGetFsType 1 1 → NTFS",
            better="Only the cache's own partition is CACHE. BITLOCKER and LUKS are named.",
        ),
        Command(
            "ogGetFsSize",
            "DISK PARTITION [KB|MB|GB|TB]",
            "prints the size of the filesystem in KB (1024 bytes) or the unit said",
            _size,
            2,
            3,
            "ogGetFsSize 1 1 MB → 9765",
            better="Mounted read-only and privately for the look, and never left mounted.",
        ),
        Command(
            "ogGetFreeSize",
            "DISK PARTITION [KB|MB|GB|TB]",
            "prints the free KB (1024 bytes) of a filesystem; in other units SIZE:USED:FREE",
            _free,
            2,
            3,
            "ogGetFreeSize 1 1 GB → 120:70:50",
            better=f"One unit throughout: {_UNITS_ARE} Free is what root may use. What cannot be "
            "mounted is an error (PARTITION).",
        ),
        Command(
            "ogGetMountPoint",
            "DISK PARTITION",
            "prints where a partition is mounted; exit code 1 when it is not",
            _mount_point,
            2,
            2,
            "ogGetMountPoint 1 1 → /mnt/sda1",
        ),
        Command(
            "ogIsFormated",
            "DISK PARTITION",
            "says by its exit code whether there is a filesystem (0) or none, or swap (1)",
            _is_formatted,
            2,
            2,
            "ogIsFormated 1 1",
        ),
        Command(
            "ogIsMounted",
            "DISK PARTITION",
            "says by its exit code whether a partition is mounted (0) or not (1)",
            _is_mounted,
            2,
            2,
            "ogIsMounted 1 1",
        ),
        Command(
            "ogIsReadonly",
            "DISK PARTITION",
            "says by its exit code whether a partition is mounted read-only (0) or not (1)",
            _is_read_only,
            2,
            2,
            "ogIsReadonly 1 1",
        ),
        Command(
            "ogIsWritable",
            "DISK PARTITION",
            "says by its exit code whether a partition is mounted for writing (0) or not (1)",
            _is_writable,
            2,
            2,
            "ogIsWritable 1 1",
        ),
    )
}
