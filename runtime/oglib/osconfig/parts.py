# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a system that are filesystems of their own, mounted below its root by its fstab.

They lie on the disk of the root, on another one of this PC, or in another subvolume of the same
btrfs. What is not here, or cannot be mounted, is told and never an empty folder.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.starts import ESP
from oglib.errors import FilesystemError, OgError, printable
from oglib.filesystem.kinds import kind_of
from oglib.filesystem.mount import mounted_at
from oglib.filesystem.structures.fat import Unreadable, holds_nothing
from oglib.fitting.devices import Known, named_by
from oglib.fitting.edits import words_of
from oglib.osconfig.filesystems import elsewhere, known_on
from oglib.osconfig.fstab import Entry, entries
from oglib.osconfig.reading import NoPlainFileError
from oglib.osconfig.root import TargetRoot

# Parts that are looked at or written to, outer ones first.
_POINTS = ("/boot", "/home", "/usr", "/var")
# The old filesystem of BSD: read by the kernel where it is told which of its kinds it is.
_UFS = ("ufs", "ufstype=ufs2")


@dataclass(frozen=True, slots=True)
class MountedPart:
    """A partition that is mounted at ``point`` of a system."""

    point: str
    disk: Disk
    part: Partition


@dataclass(frozen=True, slots=True)
class Around:
    """Where the other filesystems of a system are looked for.

    ``disk`` None: nowhere, there is the one filesystem. ``device`` None: nothing can be mounted
    inside, for the root is where a person has mounted it.
    """

    disk: Disk | None
    part: Partition | None
    device: Path | None
    write: bool


@dataclass(slots=True)
class Joined:
    """What was mounted; ``absent`` what was not, ``notes`` why, a sentence each."""

    parts: tuple[MountedPart, ...] = ()
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    known: dict[int, Known] = field(default_factory=dict)  # of the root's disk
    roots: frozenset[str] = frozenset()  # what its fstab calls the root's own filesystem


def joined_parts(root: TargetRoot, around: Around, stack: ExitStack) -> Joined:
    """Mount below the root, for as long as ``stack`` lasts, what its fstab has on this PC."""
    found = Joined()
    wanted = [entry for entry in _wanted(root) if not root.holds_mount(entry.point)]
    if wanted and around.disk:
        found.known = known_on(around.disk)
        found.roots = frozenset(one.device for one in _entries(root) if one.is_root)
    for entry in wanted:
        try:
            why = _join(root, entry, around, found, stack)
        except OgError as error:
            why = f"it cannot be read: {error.message.rstrip('.')}"
        if why:
            note = f"{entry.point} of this system is a filesystem of its own, and {why}."
            found.notes, found.absent = (*found.notes, note), (*found.absent, entry.point)
    return found


def named_subvolumes(root: TargetRoot) -> frozenset[str]:
    """The subvolumes that the fstab of a root names."""
    return frozenset(filter(None, (one.subvolume for one in _entries(root))))


def how_mounted(kind: str) -> tuple[str, str]:
    """Type and further options for mount; empty for what holds no files (swap, LUKS, nothing)."""
    if kind == "ufs":
        return _UFS
    try:
        return (kind_of(kind).mount_type, "")
    except FilesystemError:
        return ("", "")


def _entries(root: TargetRoot) -> tuple[Entry, ...]:
    try:
        return entries(words_of(root.read_bytes("etc/fstab")))
    except (FileNotFoundError, NoPlainFileError):
        return ()


def _wanted(root: TargetRoot) -> list[Entry]:
    first = {entry.point: entry for entry in reversed(_entries(root))}
    return [first[point] for point in _POINTS if point in first]


def _join(root: TargetRoot, entry: Entry, around: Around, joined: Joined, stack: ExitStack) -> str:
    """Mount one of them; why that was not done, empty where it was."""
    place = _place(entry, around, joined)
    if place is None or around.disk is None or around.part is None:
        return f"its device {printable(entry.device)} was not found here"
    if around.device is None:
        return "it is not mounted there"
    disk, part, fs_kind = place
    at = root.folder_path(entry.point)
    if at is None:
        return "the system has no such folder"
    kind, options = how_mounted(fs_kind)
    if not kind:
        return f"{fs_kind or 'nothing'} is on partition {part.number}"
    own = disk is around.disk and part.number == around.part.number
    if own and not entry.subvolume:
        return "its subvolume cannot be told"
    if own:
        device, options = around.device, f"subvol=/{entry.subvolume}"
    else:
        if around.write:
            if part.use:
                return f"partition {part.number} of {disk.describe()} is in use: {part.use[0]}"
            from oglib.disk.lock import held  # noqa: PLC0415 - a listing does without

            stack.enter_context(held(disk, part))
        device = stack.enter_context(partition_device(disk, part))
        if part.type == ESP and entry.point == "/boot" and _is_new(device):
            return ""  # it hides nothing yet: the system's own folder is what there is
    stack.enter_context(mounted_at(device, at, write=around.write, kind=kind, options=options))
    if not own:
        joined.parts = (*joined.parts, MountedPart(entry.point, disk, part))
    return ""


def _place(entry: Entry, around: Around, joined: Joined) -> tuple[Disk, Partition, str] | None:
    """Disk, partition and filesystem that an entry means; None where that is not on this PC.

    A subvolume is the root's own where the line of the root names the same device, whoever else has
    that name by now, or where nobody has it.
    """
    if around.disk is None or around.part is None:
        return None
    mine = joined.known.get(around.part.number, Known("", ""))
    own = around.disk, around.part, mine.kind
    if entry.subvolume and entry.device in joined.roots:
        return own
    here = named_by(entry.device, entry.kind, tuple(joined.known.values()))
    for part in around.disk.partitions if here else ():
        if joined.known.get(part.number) is here:
            return around.disk, part, here.kind if here else ""
    for disk, part, there in elsewhere(around.disk):
        if there.is_named(entry.device):
            return disk, part, there.kind
    return own if entry.subvolume and entry.kind == mine.kind else None


def _is_new(device: Path) -> bool:
    """Whether a FAT was made and never written to; not told where it makes no sense."""
    with device.open("rb", buffering=0) as file:
        try:
            return holds_nothing(lambda offset, size: os.pread(file.fileno(), size, offset))
        except Unreadable:
            return False
        except OSError as error:
            raise FilesystemError(f"{device} cannot be read: {error.strerror}.") from error
