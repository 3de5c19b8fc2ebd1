# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts, as context managers: what was mounted is unmounted, whatever happens inside.

A user's disk is hostile input: always nosuid, nodev and noexec, read-only unless writing is
asked for. Mountpoints are private folders (mode 0700) under ``/run/oglive/mnt``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oglib.errors import FilesystemError, ProcessError
from oglib.run import run

_MOUNTPOINTS = Path("/run/oglive/mnt")
_SAFE = "nosuid,nodev,noexec"
_UNMOUNT_TRIES = 20
_UNMOUNT_PAUSE_S = 0.25


@contextmanager
def mounted(
    device: Path, *, write: bool = False, kind: str = "", options: str = ""
) -> Iterator[Path]:
    """``device`` mounted for the length of a ``with`` block; gives the mountpoint.

    ``kind`` is a type for mount (found out by it when empty), ``options`` go to it as well.
    """
    _MOUNTPOINTS.mkdir(mode=0o700, parents=True, exist_ok=True)
    point = Path(tempfile.mkdtemp(prefix=f"{device.name}-", dir=_MOUNTPOINTS))
    try:
        mount_at(device, point, write=write, kind=kind, options=options)
        try:
            yield point
        finally:
            unmount(point)
    finally:
        # still mounted when unmounting failed: that error is the one to tell
        with suppress(OSError):
            point.rmdir()


@contextmanager
def mounted_at(
    device: Path, point: Path, *, write: bool = False, kind: str = "", options: str = ""
) -> Iterator[Path]:
    """As ``mounted``, at a folder that exists (an ESP, while a loader is installed)."""
    mount_at(device, point, write=write, kind=kind, options=options)
    try:
        yield point
    finally:
        unmount(point)


def mount_at(
    device: Path, point: Path, *, write: bool = False, kind: str = "", options: str = ""
) -> None:
    """Mount without undoing it; use the context managers where that is possible."""
    wanted = ",".join(
        part for part in (_SAFE, "rw" if write else _read_only(kind), options) if part
    )
    typed = ("-t", kind) if kind else ()
    try:
        run("mount", *typed, "-o", wanted, device, point)
    except ProcessError as error:
        raise FilesystemError(
            f"{device} cannot be mounted: {' '.join(error.stderr.split())}.",
            hint="Check the filesystem; a Windows one may be hibernated.",
        ) from error


def unmount(point: Path) -> None:
    """Unmount, waiting a little for a program that still closes its files."""
    for attempt in range(_UNMOUNT_TRIES):
        done = run("umount", point, accept=range(256))
        if done.status == 0:
            return
        if "busy" not in done.stderr:
            break
        if attempt + 1 < _UNMOUNT_TRIES:
            time.sleep(_UNMOUNT_PAUSE_S)
    raise FilesystemError(
        f"{point} cannot be unmounted: {' '.join(done.stderr.split())}.",
        hint="Something still uses it.",
    )


def _read_only(kind: str) -> str:
    # a read-only mount of a journaled filesystem still replays its journal, which writes
    return {"ext3": "ro,noload", "ext4": "ro,noload", "xfs": "ro,norecovery"}.get(kind, "ro")
