# SPDX-License-Identifier: GPL-3.0-or-later
"""The system on a partition, opened for reading: mounted where it is not, never changed.

A filesystem that is mounted already is read where it is. Hibernated or dirty filesystems are
mounted read-only without replaying anything: what is read may be a little old, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError
from oglib.filesystem.kinds import kind_of
from oglib.filesystem.mount import mounted
from oglib.inventory.system import System, identify
from oglib.osconfig.root import TargetRoot

# The old filesystem of BSD: read by the kernel where it is told which of its kinds it is.
_UFS = ("ufs", "ufstype=ufs2")
# Where distributions put the system on a btrfs whose top is not it.
_SUBVOLUMES = ("@", "root", "@rootfs")


def holds_files(part: Partition) -> bool:
    """Whether the partition has a filesystem that a system could lie on."""
    return bool(_folders(part) or _how(part)[0])


@contextmanager
def opened(disk: Disk, part: Partition) -> Iterator[TargetRoot]:
    """The files of a partition. FilesystemError where it has none or they cannot be mounted."""
    if not holds_files(part):
        raise FilesystemError(
            f"Partition {part.number} of {disk.path} has no files that can be read here"
            f" ({part.filesystem or 'no filesystem is known on it'})."
        )
    with _mounted(disk, part) as point, TargetRoot(point) as top:
        if part.filesystem == "btrfs" and not top.names("etc"):
            for name in _SUBVOLUMES:
                inner = top.below(name)
                if inner is not None:
                    with inner:
                        yield inner
                    return
        yield top


@contextmanager
def _mounted(disk: Disk, part: Partition) -> Iterator[Path]:
    folders = _folders(part)
    if folders:
        yield folders[0]
        return
    kind, options = _how(part)
    with (
        partition_device(disk, part) as device,
        mounted(device, kind=kind, options=options) as point,
    ):
        yield point


def _how(part: Partition) -> tuple[str, str]:
    """Type and further options for mount; empty for what holds no files (swap, LUKS, nothing)."""
    if part.filesystem == "ufs":
        return _UFS
    try:
        return (kind_of(part.filesystem).mount_type, "")
    except FilesystemError:
        return ("", "")


def _folders(part: Partition) -> tuple[Path, ...]:
    return tuple(Path(point) for point in part.mountpoints if point.startswith("/"))


def system_of(disk: Disk, part: Partition) -> System | None:
    """The system on a partition; None where there is none, or no files at all."""
    if not holds_files(part):
        return None
    with opened(disk, part) as root:
        return identify(root)
