# SPDX-License-Identifier: GPL-3.0-or-later
"""A partition as a block device, whether the kernel shows it or not.

Partitions of a real disk have a node; those of a plain file or of a loop device without
partition scanning get a loop device over their stretch, for the length of a ``with`` block.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from oglib.disk import types
from oglib.disk.model import Disk, Partition
from oglib.errors import OgErr, OgError
from oglib.kernel.loops import (
    IN_USE,
    LO_FLAGS_AUTOCLEAR,
    LO_FLAGS_READ_ONLY,
    LOOP_CONFIGURE,
    LOOP_CTL_GET_FREE,
    LOOP_GET_STATUS64,
    LOOP_SET_STATUS64,
    STATUS_BYTES,
    LoopInfo,
)
from oglib.run import undisturbed
from oglib.wording.spoken import standing_for

_START_BYTES = 1024
_MOST_TRIES = 50
_TAKEN = (errno.EBUSY, errno.EAGAIN, errno.ENXIO, errno.ENODEV)


@contextmanager
def partition_device(disk: Disk, part: Partition) -> Iterator[Path]:
    """The block device of ``part``; detached again afterwards where it had to be made.

    Of an extended partition it is the start alone, as the kernel shows it: nothing fits on it, so
    that the logical ones inside are never written over.
    """
    if part.path is not None:
        yield part.path
        return
    whole = part.type != types.EXTENDED
    sector = disk.logical_sector_bytes
    with attached(
        disk.path,
        offset_bytes=part.start_bytes,
        size_bytes=part.size_bytes if whole else max(sector, _START_BYTES),
        sector_bytes=sector,
        name=disk.called(part),
    ) as device:
        yield device


@contextmanager
def attached(
    path: Path,
    *,
    offset_bytes: int = 0,
    size_bytes: int = 0,
    sector_bytes: int = 512,
    name: str = "",
) -> Iterator[Path]:
    """A loop device over ``path`` or, with a size, over a stretch of it.

    ``name``: what sentences call it; else ``path``. It is the kernel's to detach it: it goes with
    this process, however that ends, or with the mount or program that still uses it then.
    """
    handle = -1
    try:
        with undisturbed():
            device, handle = _attach(path, offset_bytes, size_bytes, sector_bytes)
        with standing_for(device, name or str(path)):
            yield device
    finally:
        if handle >= 0:
            with undisturbed():
                _let_go(handle)


def _attach(path: Path, offset_bytes: int, size_bytes: int, sector_bytes: int) -> tuple[Path, int]:
    """A free loop device set up, and the handle that keeps it."""
    backing, flags = _opened(path)
    info = LoopInfo(offset_bytes, size_bytes, LO_FLAGS_AUTOCLEAR | flags, IN_USE)
    wanted = info.config(backing, sector_bytes)
    try:
        for _ in range(_MOST_TRIES):
            device = _free()
            handle = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(handle, LOOP_CONFIGURE, wanted)
                # kept for reading alone: a writer that stays would keep some kernels from mounting
                return device, os.open(device, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
            finally:
                os.close(handle)
    except OSError as error:
        raise OgError(
            f"{path} cannot be attached as a block device: {error.strerror}.",
            hint="Loop devices are made by root, where /dev/loop-control is.",
            code=OgErr.NOTEXEC,
        ) from error
    finally:
        os.close(backing)
    raise OgError(
        f"{path} cannot be attached as a block device: other programs take each one first.",
        hint="Run this again.",
        code=OgErr.LOCKED,
    )


def _opened(path: Path) -> tuple[int, int]:
    """A handle of ``path`` and the flags that go with it: what cannot be written is read-only."""
    try:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC), 0
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC), LO_FLAGS_READ_ONLY
    except OSError as error:
        raise OgError(f"{path} cannot be opened: {error.strerror}.", code=OgErr.NOTFOUND) from error


def _free() -> Path:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        return Path(f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}")
    finally:
        os.close(control)


def _let_go(handle: int) -> None:
    """Nobody works with it any more; what mounts it, or looks at it, may end later."""
    try:
        with suppress(OSError):  # it only tells others sooner that it is free
            said = LoopInfo.read(fcntl.ioctl(handle, LOOP_GET_STATUS64, bytes(STATUS_BYTES)))
            fcntl.ioctl(handle, LOOP_SET_STATUS64, replace(said, name=b"").packed())
    finally:
        os.close(handle)
