# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts: for the length of a ``with`` block, or for a person until they are undone.

A user's disk is hostile input: always nosuid, nodev and noexec, read-only unless writing is
asked for. What was asked to be writable and is not, is an error; what a hibernated Windows keeps
is never discarded unless that is asked for by name. Mountpoints of ``with`` blocks are private
folders (mode 0700) under ``/run/oglive/mnt``, those for a person are under ``/mnt``.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oglib.errors import FilesystemError, OgErr, ProcessError
from oglib.filesystem.kind import Family
from oglib.filesystem.kinds import kind_mounted_as, kind_probed
from oglib.filesystem.mounts import mountpoints_of, mounts_of
from oglib.filesystem.probe import probe_filesystem, row_on
from oglib.filesystem.state import NEVER_MOUNTED, NEVER_WRITTEN, State, state_of
from oglib.kernel import mounting
from oglib.kernel.users import held_by
from oglib.run import run, undisturbed, where

_MOUNTPOINTS = Path("/run/oglive/mnt")
_FOR_PEOPLE = Path("/mnt")
_FILESYSTEMS = Path("/proc/filesystems")
_SAFE = "nosuid,nodev,noexec"
_DISCARD = "remove_hiberfile"  # an option of ntfs-3g
_UNMOUNT_TRIES = 20
# the kernel's words for these say less than is known
_REASONS = {
    errno.EINVAL: "its filesystem is damaged, or newer than this ogLive's kernel",
    errno.ENODEV: "this ogLive's kernel does not know its kind",
}
_UNMOUNT_PAUSE_S = 0.25


@contextmanager
def mounted(
    device: Path, *, write: bool = False, kind: str = "", options: str = ""
) -> Iterator[Path]:
    """``device`` mounted for the length of a ``with`` block; gives the mountpoint.

    ``kind`` is a type for mount (found out by it when empty), ``options`` go to it as well.
    """
    _MOUNTPOINTS.mkdir(mode=0o700, parents=True, exist_ok=True)
    point = _MOUNTPOINTS / f"{device.name}-{os.urandom(6).hex()}"
    point.mkdir(mode=0o700)  # there is none of that name, and nobody else may make one here
    try:
        with mounted_at(device, point, write=write, kind=kind, options=options):
            yield point
    finally:
        # still mounted when unmounting failed: that error is the one to tell
        with suppress(OSError):
            point.rmdir()


@contextmanager
def mounted_at(
    device: Path, point: Path, *, write: bool = False, kind: str = "", options: str = ""
) -> Iterator[Path]:
    """As ``mounted``, at a folder that exists (an ESP, while a loader is installed)."""
    is_mounted = False
    try:
        with undisturbed():
            mount_at(device, point, write=write, kind=kind, options=options)
            is_mounted = True
        yield point
    finally:
        if is_mounted:
            with undisturbed():
                unmount(point)


def mount_at(
    device: Path, point: Path, *, write: bool = False, kind: str = "", options: str = ""
) -> None:
    """Mount without undoing it; use the context managers where that is possible."""
    kind = kind or _mount_type(device)
    _refuse_states(device, write=write and _DISCARD not in options)
    wanted = ",".join(
        part for part in (_SAFE, "rw" if write else _read_only(kind), options) if part
    )
    why = _mount(device, point, kind, wanted)
    if why:
        raise FilesystemError(
            f"{device} cannot be mounted: {why}.", hint="Check the filesystem with `og fs check`."
        )
    if write and os.statvfs(point).f_flag & os.ST_RDONLY:
        # ntfs-3g and others do so, and say it to nobody
        unmount(point)
        raise FilesystemError(
            f"{device} can be mounted for reading only: its filesystem is not safe to write.",
            hint="Check the filesystem with `og fs check`.",
        )


def check_writable(device: Path) -> None:
    """Raise where ``mount_at`` would refuse to mount ``device`` for writing; mounts nothing."""
    _refuse_states(device, write=True)


def check_mountable(kind: str) -> None:
    """Raise unless this ogLive can mount a filesystem of ``kind`` (a type for mount)."""
    if not (not kind or _by_kernel(kind) or where(f"mount.{kind}") or _module_there(kind)):
        raise FilesystemError(
            f"This ogLive cannot mount {kind}: neither its kernel nor a program knows it.",
            hint="Use an ogLive whose kernel has it.",
        )


def _module_there(kind: str) -> bool:
    if not where("modprobe"):
        return False
    return run("modprobe", "--dry-run", "--quiet", kind, accept=range(256)).status == 0


def _by_kernel(kind: str) -> bool:
    known = _FILESYSTEMS.read_text(encoding="utf-8").split()
    row = kind_mounted_as(kind)
    return kind in known or (row is not None and row.driver in known)


def mount_for_person(
    device: Path, *, name: str = "", write: bool = False, discard_hibernation: bool = False
) -> Path:
    """Mount until ``unmount_device``, at ``/mnt/NAME`` (the device's own name when empty).

    One that is mounted stays where and as it is, unless it shall be written and is read-only:
    that is refused. A loop device may be detached at once; it lives as long as the mount.
    """
    there = mounts_of(device)
    if there:
        if write and there[0].read_only:
            raise FilesystemError(
                f"{device} is mounted read-only at {there[0].point}.",
                hint=f"Unmount it first: `umount {there[0].point}`.",
                code=OgErr.LOCKED,
            )
        return there[0].point
    kind = row_on(device)
    if kind.family is Family.SWAP:
        raise FilesystemError(f"{device} is swap space: it has no files to mount.")
    point = _FOR_PEOPLE / (name or device.name)
    point.mkdir(parents=True, exist_ok=True)
    if point.is_mount() or any(point.iterdir()):
        raise FilesystemError(f"{point} is taken, so {device} is not mounted there.")
    options = _DISCARD if discard_hibernation and kind.family is Family.NTFS else ""
    try:
        mount_at(device, point, write=write, kind=kind.mount_type, options=options)
    except FilesystemError:
        point.rmdir()
        raise
    return point


def unmount_device(device: Path) -> tuple[Path, ...]:
    """Undo every mount of ``device``, the newest first; returns where it was mounted."""
    points = mountpoints_of(device)
    for point in reversed(points):
        unmount(point)
        if point.parent == _FOR_PEOPLE:
            with suppress(OSError):  # a folder that holds something was not made here
                point.rmdir()
    return points


def unmount(point: Path) -> None:
    """Unmount, waiting a little for a program that still closes its files."""
    for attempt in range(_UNMOUNT_TRIES):
        try:
            mounting.unmount(point)
        except OSError as error:
            why = error
        else:
            return
        if why.errno != errno.EBUSY:
            break
        if attempt + 1 < _UNMOUNT_TRIES:
            time.sleep(_UNMOUNT_PAUSE_S)
    holder = held_by(point)
    raise FilesystemError(
        f"{point} cannot be unmounted: {holder or why.strerror}.",
        hint="End that, then `umount` it." if holder else "Something still uses it.",
    )


def _mount(device: Path, point: Path, kind: str, options: str) -> str:
    """Mount; why that failed, empty where it did not."""
    if kind and device.is_block_device() and not where(f"mount.{kind}"):
        try:
            mounting.mount(device, point, kind, options.split(","))
        except OSError as error:
            return _REASONS.get(error.errno or 0, "") or str(error.strerror)
        return ""
    typed = ("-t", kind) if kind else ()
    try:
        run("mount", *typed, "-o", options, device, point)
    except ProcessError as error:
        return _said(error.stderr)
    return ""


def _said(stderr: str) -> str:
    """What mount said, without its pointer to dmesg."""
    return " ".join(stderr.partition("dmesg(1)")[0].split()).rstrip(".")


def _refuse_states(device: Path, *, write: bool) -> None:
    stops = NEVER_MOUNTED | (NEVER_WRITTEN if write else set())
    for state in state_of(device):
        if state.trouble in stops:
            raise _refusal(device, state)


def _refusal(device: Path, state: State) -> FilesystemError:
    how = "mounted" if state.trouble in NEVER_MOUNTED else "mounted for writing"
    return FilesystemError(f"{device} is not {how}: {state.text}.", hint=state.remedy)


def _mount_type(device: Path) -> str:
    """The type for mount where we have a row for what is there; else mount finds out itself."""
    info = probe_filesystem(device)
    kind = kind_probed(info.kind, info.version)
    return kind.mount_type if kind else ""


def _read_only(kind: str) -> str:
    row = kind_mounted_as(kind)
    return row.read_only if row else "ro"
