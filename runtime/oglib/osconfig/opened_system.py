# SPDX-License-Identifier: GPL-3.0-or-later
"""The system on a partition, opened: one way for whoever looks at it, captures it or changes it.

A system is a root whose paths are its own, wherever it lies: on the filesystem's top, in a
subvolume of btrfs, with ``/boot``, ``/usr`` or ``/var`` on filesystems of their own. Opened for
reading nothing is replayed and nothing written; a filesystem that is mounted already is read where
it is. What holds no files is ``NoFilesError``; every other error says why files cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.types import EXTENDED
from oglib.errors import FilesystemError, OgError, printable
from oglib.filesystem.kinds import kind_of
from oglib.filesystem.mount import mounted, mounted_at
from oglib.filesystem.mounts import root_of_mount
from oglib.filesystem.probe import probe_filesystem
from oglib.fitting.edits import words_of
from oglib.osconfig.facts import Known
from oglib.osconfig.fstab import Entry, entries, named_by
from oglib.osconfig.root import NoPlainFileError, TargetRoot

# The old filesystem of BSD: read by the kernel where it is told which of its kinds it is.
_UFS = ("ufs", "ufstype=ufs2")
_BTRFS = "btrfs"
# Where distributions put the system on a btrfs whose default subvolume is not it.
_SUBVOLUMES = ("@", "root", "@rootfs")
_SUBVOLUME_INODE = 256  # of the root of every subvolume (btrfs(5)); no plain folder has it there
# Parts of a system that are looked at and may be filesystems of their own, outer ones first.
_PARTS = ("/boot", "/usr", "/var")
# Of an fstab, which is hostile text, go to mount: nothing that could be read as another option.
_SUBVOLUME_OPTION = re.compile(r"subvol=/?([A-Za-z0-9@._-]+(?:/[A-Za-z0-9@._-]+)*)")


class NoFilesError(FilesystemError):
    """There are no files here that could be a system's: swap, encrypted, unknown or nothing."""


@dataclass(frozen=True, slots=True)
class OpenedSystem:
    """``root`` has the system's own paths, or those of files without a system.

    ``kind`` is blkid's word for the filesystem. ``subvolume``: where the system lies in a btrfs,
    empty for its top. ``boot``: the partition that is mounted at ``/boot``; None where that is
    part of the root. ``notes``: what of the system is not here, a sentence each, so that nobody
    takes it for absent; ``absent``: the same as paths of the system.
    """

    root: TargetRoot
    kind: str
    subvolume: str = ""
    boot: Partition | None = None
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def holds_files(part: Partition) -> bool:
    """Whether the partition, as it was found, has a filesystem that a system could lie on."""
    return bool(_folders(part) or _how(part.filesystem)[0])


@contextmanager
def opened_system(disk: Disk, part: Partition, *, write: bool = False) -> Iterator[OpenedSystem]:
    """The system on ``part`` with what belongs to it on ``disk``; ``write``: to be changed.

    NoFilesError where the partition has no files. For reading, a part that cannot be mounted is
    told in ``notes``; for writing it is an error.
    """
    where = f"partition {part.number} of {disk.describe()}"
    with ExitStack() as stack:
        if (folders := _folders(part)) and not write:
            system = stack.enter_context(_where_it_is(folders, part.filesystem))
            yield _with_parts(system, _Parts(disk, part, None, write=False), stack)
            return
        # a partition that was found before it was written to is asked itself
        known = "" if write else part.filesystem
        if known and not _how(known)[0]:
            raise _no_files(where, known)
        device = stack.enter_context(partition_device(disk, part))
        system = stack.enter_context(_on_device(device, where, write=write, kind=known))
        yield _with_parts(system, _Parts(disk, part, device, write=write), stack)


@contextmanager
def opened_root(device: Path, *, write: bool = False) -> Iterator[OpenedSystem]:
    """As ``opened_system``, of a filesystem alone: what lies on others of its disk is absent."""
    with ExitStack() as stack:
        system = stack.enter_context(_on_device(device, str(device), write=write))
        yield _with_parts(system, _Parts(None, None, device, write=write), stack)


@contextmanager
def _on_device(device: Path, where: str, *, write: bool, kind: str = "") -> Iterator[OpenedSystem]:
    kind = kind or probe_filesystem(device).kind
    mount_type, options = _how(kind)
    if not mount_type:
        raise _no_files(where, kind)
    subvolume = ""
    if kind == _BTRFS:
        subvolume, options = _system_in_btrfs(device)
    with (
        mounted(device, write=write, kind=mount_type, options=options) as point,
        TargetRoot(point, called=where) as root,
    ):
        yield OpenedSystem(root, kind, subvolume)


def _system_in_btrfs(device: Path) -> tuple[str, str]:
    """The subvolume that holds the system, and the options that mount it; looks only.

    The default one first: openSUSE makes the snapshot in use the default. Where no subvolume looks
    like a system, it is the default one.
    """
    with mounted(device, kind=_BTRFS) as point, TargetRoot(point) as default:
        default_name = root_of_mount(point).lstrip("/")
        if _looks_like_one(default):
            return default_name, ""
    with mounted(device, kind=_BTRFS, options="subvolid=5") as point, TargetRoot(point) as top:
        for name in _SUBVOLUMES:
            if _is_system_subvolume(top, name):
                return name, f"subvol=/{name}"
    return default_name, ""


def _is_system_subvolume(top: TargetRoot, name: str) -> bool:
    inner = top.below(name)
    if inner is None:
        return False
    with inner:
        return inner.inode == _SUBVOLUME_INODE and _looks_like_one(inner)


def _looks_like_one(root: TargetRoot) -> bool:
    return bool(root.names("etc"))


@contextmanager
def _where_it_is(folders: tuple[Path, ...], kind: str) -> Iterator[OpenedSystem]:
    """Of the places where it is mounted, the one that shows the system; else the first."""
    with ExitStack() as stack:
        tops = [(folder, stack.enter_context(TargetRoot(folder))) for folder in folders]
        for folder, top in tops:
            if _looks_like_one(top):
                inside = root_of_mount(folder).lstrip("/") if kind == _BTRFS else ""
                yield OpenedSystem(top, kind, inside)
                return
        for _, top in tops if kind == _BTRFS else ():
            for name in _SUBVOLUMES:
                if _is_system_subvolume(top, name):
                    inner = top.below(name)
                    assert inner is not None  # noqa: S101 - for the type checker
                    yield OpenedSystem(stack.enter_context(inner), kind, name)
                    return
        yield OpenedSystem(tops[0][1], kind)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Where the other filesystems of a system are looked for.

    ``disk`` None: nowhere, there is the one filesystem. ``device`` None: nothing can be mounted
    inside, for the root is where a person has mounted it.
    """

    disk: Disk | None
    part: Partition | None
    device: Path | None
    write: bool


def _with_parts(system: OpenedSystem, where: _Parts, stack: ExitStack) -> OpenedSystem:
    """Mount below the root, for as long as ``stack`` lasts, what its fstab has on this disk."""
    wanted = _wanted(system.root)
    known = _known(where.disk) if wanted and where.disk else ()
    for entry in wanted:
        try:
            system = _with_part(system, entry, known, where, stack)
        except OgError as error:
            if where.write:
                raise
            system = _without(system, entry, f"it cannot be read: {error.message}")
    return system


def _wanted(root: TargetRoot) -> list[Entry]:
    try:
        found = entries(words_of(root.read_bytes("etc/fstab")))
    except (FileNotFoundError, NoPlainFileError):
        return []
    first = {entry.point: entry for entry in reversed(found)}
    return [first[point] for point in _PARTS if point in first]


def _with_part(
    system: OpenedSystem, entry: Entry, known: tuple[Known, ...], where: _Parts, stack: ExitStack
) -> OpenedSystem:
    if system.root.holds_mount(entry.point):
        return system
    found = named_by(entry.device, entry.kind, known)
    if found is None or where.disk is None or where.part is None:
        return _without(system, entry, f"its device {printable(entry.device)} was not found here")
    if where.device is None:
        return _without(system, entry, "it is not mounted there")
    at = system.root.folder_path(entry.point)
    if at is None:
        return _without(system, entry, "the system has no such folder")
    part = next(one for one in where.disk.partitions if one.number == found.number)
    options = ""
    if part.number == where.part.number:
        inside = [_SUBVOLUME_OPTION.fullmatch(option) for option in entry.options.split(",")]
        names = [match[1] for match in inside if match]
        if len(names) != 1:
            return _without(system, entry, "its subvolume cannot be told")
        device, options = where.device, f"subvol=/{names[0]}"
    else:
        device = stack.enter_context(partition_device(where.disk, part))
    kind, more = _how(found.kind)
    if not kind:
        return _without(system, entry, f"{found.kind or 'nothing'} is on partition {part.number}")
    options = ",".join(filter(None, (more, options)))
    stack.enter_context(mounted_at(device, at, write=where.write, kind=kind, options=options))
    own = part.number == where.part.number
    return replace(system, boot=part) if entry.point == "/boot" and not own else system


def _without(system: OpenedSystem, entry: Entry, why: str) -> OpenedSystem:
    note = f"{entry.point} of this system is a filesystem of its own, and {why}."
    return replace(system, notes=(*system.notes, note), absent=(*system.absent, entry.point))


def _known(disk: Disk) -> tuple[Known, ...]:
    """The filesystems of the disk as they are now: what was found earlier may be older."""
    found = []
    for part in disk.partitions:
        if part.type == EXTENDED:
            continue
        with partition_device(disk, part) as device:
            info = probe_filesystem(device)
        found.append(
            Known(
                info.kind, info.uuid, label=info.label, partuuid=part.partuuid,
                partlabel=part.name, number=part.number,
            )
        )  # fmt: skip
    return tuple(found)


def _how(kind: str) -> tuple[str, str]:
    """Type and further options for mount; empty for what holds no files (swap, LUKS, nothing)."""
    if kind == "ufs":
        return _UFS
    try:
        return (kind_of(kind).mount_type, "")
    except FilesystemError:
        return ("", "")


def _folders(part: Partition) -> tuple[Path, ...]:
    return tuple(Path(point) for point in part.mountpoints if point.startswith("/"))


def _no_files(where: str, kind: str) -> NoFilesError:
    holds = kind or "no filesystem that is known"
    return NoFilesError(f"There are no files on {where} that can be read here: it holds {holds}.")
