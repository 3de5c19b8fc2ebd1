# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a boot entry starts is on the disks of this PC: looked at, not guessed.

A partition is missing where every disk's table was read and none has it; a file where its
filesystem was opened and holds no such name. All else is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TypeVar

from oglib.boot.nvram.load_option import Target
from oglib.boot.nvram.planning import Presence, PresenceProbe
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import OgError
from oglib.filesystem.mount import mounted

Answer = TypeVar("Answer")


def presence_on(disks: Sequence[Disk], opened: Mapping[str, Path] | None = None) -> PresenceProbe:
    """The probe of somebody who has these disks, which are all of the PC's.

    ``opened``: the tops of filesystems that are open already, by PARTUUID; no other way to them.
    """

    @cache  # several entries lead to the same ESP
    def probe(target: Target) -> Presence:
        if top := (opened or {}).get(target.partition):
            return Presence.THERE if is_file(top, target.file) else Presence.MISSING
        found = _partition(disks, target.partition)
        if found is None:
            readable = not any(disk.damage for disk in disks)
            return Presence.MISSING if readable else Presence.UNKNOWN
        try:
            there = on_partition(*found, lambda at: is_file(at, target.file))
        except (OgError, OSError):
            return Presence.UNKNOWN
        return Presence.THERE if there else Presence.MISSING

    return probe


def on_partition(disk: Disk, part: Partition, read: Callable[[Path], Answer]) -> Answer:
    """The answer about the files of a partition, opened for reading where it is not mounted."""
    for point in part.mountpoints:
        if point.startswith("/"):
            return read(Path(point))
    with partition_device(disk, part) as device, mounted(device) as at:
        return read(at)


def is_file(top: Path, name: str) -> bool:
    """Whether a file is below a folder, as firmware finds it: upper and lower case are one."""
    at = top
    for part in PurePosixPath(name.lstrip("/")).parts:
        if part in (".", ".."):
            return False
        found = [one for one in at.iterdir() if one.name.casefold() == part.casefold()]
        if not found:
            return False
        at = found[0]
        if at.is_symlink():
            return False
    return at.is_file()


def _partition(disks: Sequence[Disk], partuuid: str) -> tuple[Disk, Partition] | None:
    for disk in disks:
        for part in disk.partitions:
            if part.partuuid and part.partuuid.lower() == partuuid:
                return disk, part
    return None
