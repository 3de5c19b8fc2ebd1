# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a device is mounted now, read from the kernel without starting anything.

Two loop devices over the same stretch of the same file are one and the same here: that is how
a partition of a plain file is found again by the next command.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import FilesystemError, OgErr
from oglib.kernel import mounting
from oglib.kernel.loops import stretch_of
from oglib.kernel.users import refused_by

_MOUNTINFO = Path("/proc/self/mountinfo")
_SWAPS = Path("/proc/swaps")
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo: ``source`` is what was mounted, as mount was told.

    ``root``: which folder of the filesystem is seen there (a subvolume of btrfs), ``/`` for all.
    """

    source: Path
    point: Path
    kind: str
    read_only: bool
    root: str = "/"


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """``36 35 8:1 / /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw`` (proc(5)), octal escapes."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        words, behind = before.split(" "), after.split(" ")
        if len(words) >= 6 and len(behind) >= 2:
            read_only = "ro" in words[5].split(",") or "ro" in behind[-1].split(",")
            source, point = (Path(_unescaped(word)) for word in (behind[1], words[4]))
            found.append(Mount(source, point, behind[0], read_only, _unescaped(words[3])))
    return tuple(found)


def mounts_of(device: Path) -> tuple[Mount, ...]:
    """Every mount of ``device``, the oldest first."""
    own = _identities(device)
    return tuple(
        mount
        for mount in parse_mountinfo(_MOUNTINFO.read_text(errors="surrogateescape"))
        if mount.source.is_absolute() and own & _identities(mount.source)
    )


def mountpoints_of(device: Path) -> tuple[Path, ...]:
    """Where ``device`` is mounted; empty when it is not."""
    return tuple(mount.point for mount in mounts_of(device))


def root_of_mount(point: Path) -> str:
    """Which folder of its filesystem is seen at a mountpoint, the newest mount there."""
    found = [mount for mount in parse_mountinfo(_MOUNTINFO.read_text()) if mount.point == point]
    if not found:
        raise FilesystemError(f"{point} is not mounted any more.")
    return found[-1].root


@contextmanager
def nothing_stays_mounted(folder: Path) -> Iterator[list[Path]]:
    """A block after which nothing is mounted inside of ``folder`` that was not there before.

    Yields a list that holds where something was undone, once the block has ended.
    """
    stayed: list[Path] = []
    before = _inside(folder)
    try:
        yield stayed
    finally:
        for mount in reversed([one for one in _inside(folder) if one not in before]):
            stayed.append(mount.point)
            with suppress(OSError):  # who closes the filesystem tells what keeps it
                mounting.unmount(mount.point)


def _inside(folder: Path) -> list[Mount]:
    found = parse_mountinfo(_MOUNTINFO.read_text(errors="surrogateescape"))
    return [one for one in found if one.point != folder and one.point.is_relative_to(folder)]


def refuse_in_use(device: Path, done: str, *, code: OgErr = OgErr.LOCKED) -> None:
    """Raise when ``device`` is mounted or swapped to; ``done`` is what it shall not be."""
    points = mountpoints_of(device)
    if points:
        raise FilesystemError(
            f"{device} is mounted at {points[0]}, so it is not {done}.",
            hint=f"Unmount it first: `umount {points[0]}`.",
            code=code,
        )
    own = _identities(device)
    for line in _SWAPS.read_text(errors="surrogateescape").splitlines()[1:]:
        if own & _identities(Path(_unescaped(line.split()[0]))):
            raise FilesystemError(
                f"{device} is swap space in use, so it is not {done}.",
                hint=f"Release it first: `swapoff {device}`.",
                code=code,
            )
    said = refused_by(device)
    if said:
        raise FilesystemError(
            f"{device} is not {done}: {said}.",
            hint="Unmount it, or stop what uses it.",
            code=code,
        )


def _identities(device: Path) -> set[tuple[object, ...]]:
    """What tells that two names mean one thing: device number, file, stretch of a file."""
    try:
        found = device.stat()
    except (FileNotFoundError, NotADirectoryError):  # what was mounted may be called anything
        return set()
    if not stat.S_ISBLK(found.st_mode):
        return {("file", found.st_dev, found.st_ino)} if stat.S_ISREG(found.st_mode) else set()
    number = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    own: set[tuple[object, ...]] = {("device", number)}
    stretch = stretch_of(device)
    return own | {("stretch", stretch.storage, stretch.start_bytes)} if stretch else own


def _unescaped(word: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), word)
