# SPDX-License-Identifier: GPL-3.0-or-later
"""The system on a partition, opened: one way for whoever looks at it, captures it or changes it.

A system is a root whose paths are its own, wherever it lies: on the filesystem's top, in a
subvolume of btrfs, with parts of it on filesystems of their own (``parts``). Opened for reading
nothing is replayed and nothing written; a filesystem that is mounted already is read where it is.
What holds no files is ``NoFilesError``; every other error says why files cannot be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError
from oglib.filesystem.mount import mounted
from oglib.filesystem.mounts import root_of_mount
from oglib.filesystem.probe import probe_filesystem
from oglib.fitting.edits import Files
from oglib.osconfig.parts import Around, MountedPart, how_mounted, joined_parts, named_subvolumes
from oglib.osconfig.present import Present
from oglib.osconfig.root import TargetRoot

_BTRFS = "btrfs"
# Where distributions put the system on a btrfs whose default subvolume is not it.
_SUBVOLUMES = ("@", "root", "@rootfs")
_SUBVOLUME_INODE = 256  # of the root of every subvolume (btrfs(5)); no plain folder has it there


class NoFilesError(FilesystemError):
    """There are no files here that could be a system's: swap, encrypted, unknown or nothing."""


@dataclass(frozen=True, slots=True)
class OpenedSystem:
    """``root`` has the system's own paths, or those of files without a system.

    ``kind`` is blkid's word for the filesystem. ``subvolume``: where the system lies in a btrfs,
    empty for its top; ``subvolumes``: those that its fstab names and that are there. ``parts``:
    what was mounted inside of it from other partitions. ``notes``: what of the system is not here,
    a sentence each, so that nobody takes it for absent; ``absent``: the same as paths of the
    system.
    """

    root: TargetRoot
    kind: str
    subvolume: str = ""
    subvolumes: tuple[str, ...] = ()
    parts: tuple[MountedPart, ...] = ()
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def boot(self) -> MountedPart | None:
        """What is mounted at ``/boot``; None where that is part of the root, or not here."""
        return next((one for one in self.parts if one.point == "/boot"), None)

    @property
    def files(self) -> Files:
        """The root for whoever takes an absence for an answer: what is not here is an error."""
        return Present(self.root, dict(zip(self.absent, self.notes, strict=True)))


def holds_files(part: Partition) -> bool:
    """Whether the partition, as it was found, has a filesystem that a system could lie on."""
    return bool(_folders(part) or how_mounted(part.filesystem)[0])


@contextmanager
def opened_system(disk: Disk, part: Partition, *, write: bool = False) -> Iterator[OpenedSystem]:
    """The system on ``part`` with what belongs to it on ``disk``; ``write``: to be changed.

    NoFilesError where the partition has no files. A part that cannot be mounted is told in
    ``notes``.
    """
    where = f"partition {part.number} of {disk.describe()}"
    with ExitStack() as stack:
        if (folders := _folders(part)) and not write:
            system = stack.enter_context(_where_it_is(folders, part.filesystem))
            yield _with_parts(system, Around(disk, part, None, write=False), stack)
            return
        # a partition that was found before it was written to is asked itself
        known = "" if write else part.filesystem
        if known and not how_mounted(known)[0]:
            raise _no_files(where, known)
        device = stack.enter_context(partition_device(disk, part))
        system = stack.enter_context(_on_device(device, where, write=write, kind=known))
        yield _with_parts(system, Around(disk, part, device, write=write), stack)


@contextmanager
def opened_root(device: Path, *, write: bool = False) -> Iterator[OpenedSystem]:
    """As ``opened_system``, of a filesystem alone: what lies on others of its disk is absent."""
    with ExitStack() as stack:
        system = stack.enter_context(_on_device(device, str(device), write=write))
        yield _with_parts(system, Around(None, None, device, write=write), stack)


@contextmanager
def _on_device(device: Path, where: str, *, write: bool, kind: str = "") -> Iterator[OpenedSystem]:
    kind = kind or probe_filesystem(device).kind
    mount_type, options = how_mounted(kind)
    if not mount_type:
        raise _no_files(where, kind)
    subvolume = ""
    there: tuple[str, ...] = ()
    if kind == _BTRFS:
        subvolume, options, there = _system_in_btrfs(device)
    with (
        mounted(device, write=write, kind=mount_type, options=options) as point,
        TargetRoot(point, called=where) as root,
    ):
        yield OpenedSystem(root, kind, subvolume, there)


def _system_in_btrfs(device: Path) -> tuple[str, str, tuple[str, ...]]:
    """The subvolume that holds the system, what mounts it, and the others of it; looks only.

    The default one first: openSUSE makes the snapshot in use the default. Where no subvolume looks
    like a system, it is the default one.
    """
    with mounted(device, kind=_BTRFS) as point, TargetRoot(point) as default:
        default_name = root_of_mount(point).lstrip("/")
        named = named_subvolumes(default)
        found = _looks_like_one(default)
    with mounted(device, kind=_BTRFS, options="subvolid=5") as point, TargetRoot(point) as top:
        for name in () if found else _SUBVOLUMES:
            if _is_system_subvolume(top, name):
                inner = top.below(name)
                assert inner is not None  # noqa: S101 - for the type checker
                with inner:
                    there = _there(top, named_subvolumes(inner))
                return name, f"subvol=/{name}", there
        return default_name, "", _there(top, named)


def _there(top: TargetRoot, names: Collection[str]) -> tuple[str, ...]:
    """Those that are subvolumes of this filesystem."""
    return tuple(name for name in names if _is_subvolume(top, name))


def _is_subvolume(top: TargetRoot, name: str) -> bool:
    inner = top.below(name)
    if inner is None:
        return False
    with inner:
        return inner.inode == _SUBVOLUME_INODE


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


def _with_parts(system: OpenedSystem, around: Around, stack: ExitStack) -> OpenedSystem:
    found = joined_parts(system.root, around, stack)
    return replace(system, parts=found.parts, notes=found.notes, absent=found.absent)


def _folders(part: Partition) -> tuple[Path, ...]:
    return tuple(Path(point) for point in part.mountpoints if point.startswith("/"))


def _no_files(where: str, kind: str) -> NoFilesError:
    holds = kind or "no filesystem that is known"
    return NoFilesError(f"There are no files on {where} that can be read here: it holds {holds}.")
