# SPDX-License-Identifier: GPL-3.0-or-later
"""The block device or regular file that is restored to: opened for us alone, or refused.

Owns the checks that come before the first write (present, not in use, large enough, same
sector size) and the target's identity. Decides nothing about content.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import NotFoundError, OgErr, OgError, PartitionError, WriteError
from oglib.image.reading.formats.model import Buffer
from oglib.kernel.claim import claimed
from oglib.kernel.loops import loops_over
from oglib.kernel.users import refused_by

_BLKGETSIZE64 = 0x80081272  # linux/fs.h
_BLKSSZGET = 0x1268
_MOST_PARTS = 1024  # of one call: IOV_MAX
_LEAVING_S, _LOOK_S = 2.0, 0.02
_IDENTITY_FILES = ("device/wwid", "wwid", "device/serial", "serial", "device/model")


@dataclass(frozen=True, slots=True)
class Target:
    """An open target; ``identity`` stays the same while it is the same storage."""

    path: Path
    fd: int
    size_bytes: int
    sector_size: int
    is_block: bool
    identity: str

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``, through the page cache, or ``OgError``."""
        room = bytearray(length)
        self.read_into(memoryview(room), offset)
        return bytes(room)

    def read_into(self, room: memoryview, offset: int) -> None:
        """Fill ``room`` with what is at ``offset``, through the page cache, or ``OgError``."""
        try:
            while room:
                count = os.preadv(self.fd, [room], offset)
                if not count:
                    raise OSError(errno.EIO, "it ends there")
                room, offset = room[count:], offset + count
        except OSError as error:
            raise OgError(
                f"{self.path} cannot be read at byte {offset} (sector "
                f"{offset // self.sector_size}): {error.strerror}.",
                hint="The disk may be failing; look at its SMART data and the kernel's log.",
                code=OgErr.PARTITION,
            ) from error

    def write(self, data: Buffer, offset: int) -> None:
        """All of ``data`` at ``offset``, or ``WriteError``."""
        view = memoryview(data)
        try:
            while view:
                count = os.pwrite(self.fd, view, offset)
                view, offset = view[count:], offset + count
        except OSError as error:
            raise self.not_written(error, offset) from error

    def write_runs(self, runs: Sequence[tuple[int, int]], views: Sequence[Buffer]) -> None:
        """``views``, back to back, into ``runs`` of (offset, length), or ``WriteError``."""
        if len(runs) == len(views) == 1:
            self.write(views[0], runs[0][0])
            return
        left = [memoryview(view) for view in reversed(views)]
        for offset, length in runs:
            parts: list[memoryview] = []
            room = length
            while room:
                view = left.pop()
                if len(view) > room:
                    left.append(view[room:])
                    view = view[:room]
                parts.append(view)
                room -= len(view)
            self._write_parts(parts, offset)

    def _write_parts(self, parts: list[memoryview], offset: int) -> None:
        for first in range(0, len(parts), _MOST_PARTS):
            some = parts[first : first + _MOST_PARTS]
            wanted = sum(map(len, some))
            try:
                written = os.pwritev(self.fd, some, offset)
            except OSError as error:
                raise self.not_written(error, offset) from error
            if written < wanted:  # a signal, or a full filesystem, which then says so itself
                self.write(b"".join(some)[written:], offset + written)
            offset += wanted

    def not_written(self, error: OSError, offset: int) -> WriteError:
        """What to raise when writing at ``offset`` gave ``error``."""
        return WriteError(
            f"Writing {self.path} at byte {offset} (sector {offset // self.sector_size}) "
            f"failed: {error.strerror}.",
            hint="The disk may be failing; look at its SMART data and the kernel's log.",
        )

    def flush(self) -> None:
        """Everything written is on the medium, or ``WriteError``: then nothing is certain."""
        try:
            os.fdatasync(self.fd)
        except OSError as error:
            raise WriteError(
                f"Flushing {self.path} failed: {error.strerror}. Some of what was written is lost.",
                hint="The disk may be failing; look at its SMART data and the kernel's log.",
            ) from error


@contextmanager
def open_target(path: Path, *, write: bool) -> Iterator[Target]:
    """Open ``path`` for this process alone; raises when it is missing or in use."""
    real = Path(os.path.realpath(path))
    try:
        kind = real.stat().st_mode
    except OSError as error:
        raise NotFoundError(f"There is no {path}: {error.strerror}.") from error
    if stat.S_ISREG(kind):
        _refuse_backing_file(real)
    elif not stat.S_ISBLK(kind):
        raise NotFoundError(f"{path} is neither a block device nor a regular file.")
    else:
        _refuse_other_users(real)
    with claimed(real, write=write) as fd:
        yield _described(real, fd)


def _refuse_backing_file(path: Path) -> None:
    """A file behind a loop device has a second writer; O_EXCL says nothing about files.

    One that was detached goes when the kernel has closed it, a moment after an unmount: that is
    waited for, shortly, for it may be mounted somewhere still.
    """
    until = time.monotonic() + _LEAVING_S
    loops = loops_over(path)
    while loops and all(loop.leaving for loop in loops) and time.monotonic() < until:
        time.sleep(_LOOK_S)
        loops = loops_over(path)
    for loop in loops:
        raise OgError(
            f"{path} is in use by {loop.path}.",
            hint=f"Unmount what is on it, and detach it: `losetup --detach {loop.path}`.",
            code=OgErr.LOCKED,
        )


def _refuse_other_users(path: Path) -> None:
    """Two devices over one stretch of a file are two for the kernel, and one for the bytes."""
    said = refused_by(path)
    if said:
        raise OgError(
            f"{path} is in use: {said}.",
            hint="Unmount it, or stop what uses it (swap, LVM, RAID), and run this again.",
            code=OgErr.LOCKED,
        )


def _described(path: Path, fd: int) -> Target:
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        identity = f"file {status.st_dev} {status.st_ino} {status.st_size}"
        return Target(path, fd, status.st_size, 512, False, identity)
    size: int = struct.unpack("Q", fcntl.ioctl(fd, _BLKGETSIZE64, bytes(8)))[0]
    sector: int = struct.unpack("I", fcntl.ioctl(fd, _BLKSSZGET, bytes(4)))[0]
    identity = f"block {_block_identity(status.st_rdev)} {size} {sector}"
    return Target(path, fd, size, sector, True, identity)


def _block_identity(number: int) -> str:
    """What sysfs says of the disk (serial, WWN, path) and of the partition's place on it."""
    node = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    words = [str(node)]
    disk = node
    if (node / "partition").exists():
        words.append(_read(node / "start"))
        disk = node.parent
    words += [_read(disk / name) for name in (*_IDENTITY_FILES, "loop/backing_file")]
    return " ".join(words)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def check_capacity(target: Target, device_size_bytes: int, sector_size: int, name: str) -> None:
    """Raise unless an image of this size and sector size can be written to ``target``."""
    if target.size_bytes < device_size_bytes:
        raise OgError(
            f"{target.path} has {target.size_bytes} bytes, the image {name} needs "
            f"{device_size_bytes}.",
            hint="Use a larger partition, or shrink a copy of the image.",
            code=OgErr.IMGSIZEPARTITION,
        )
    if target.is_block and target.sector_size != sector_size:
        raise PartitionError(
            f"{target.path} has sectors of {target.sector_size} bytes, the image {name} was "
            f"captured from sectors of {sector_size}.",
            hint="Capture an image on a disk of the same kind; contents cannot be translated.",
        )
