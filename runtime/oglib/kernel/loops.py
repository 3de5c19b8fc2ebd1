# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's loop devices, and what lies behind them; who uses which stretch tells ``users``.

A file is known by its device and inode, never by its name: the kernel keeps the name under which
it was attached, and a file that was renamed, deleted or has a second name is the same file. Two
devices over one stretch have two claims of the kernel's, which know nothing of each other: here
they are seen together. Starts nothing, changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SYS = Path("/sys/block")
_BY_NUMBER = Path("/sys/dev/block")
DEV = Path("/dev")
# linux/loop.h
LOOP_SET_STATUS64 = 0x4C04
LOOP_GET_STATUS64 = 0x4C05
LOOP_CONFIGURE = 0x4C0A
LOOP_CTL_GET_FREE = 0x4C82
LO_FLAGS_READ_ONLY = 1
LO_FLAGS_AUTOCLEAR = 4
# loop_info64: device, inode, rdevice, offset, sizelimit, number, encryption and its key's size,
# flags, file name, the cipher's name and key, two numbers
_STATUS = struct.Struct("<QQQQQIIII64s64s32s16x")
STATUS_BYTES = _STATUS.size
# loop_config: the file's descriptor, the sector size, loop_info64, 64 bytes that must be zero
_CONFIG = struct.Struct(f"<II{STATUS_BYTES}s64x")
IN_USE = b"oglive works with it"  # in place of the file's name, which nobody needs
_DELETED = " (deleted)"
UNIT_BYTES = 512  # sysfs counts starts and sizes in these
_MOST_LAYERS = 8  # of loop devices over loop devices: the kernel refuses a ring

# What tells one storage from every other: a file by device and inode, a device by its number.
Storage = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """``size_bytes`` from ``start_bytes`` on of a storage that lies on no other."""

    storage: Storage
    start_bytes: int
    size_bytes: int

    @property
    def end_bytes(self) -> int:
        return self.start_bytes + self.size_bytes


@dataclass(frozen=True, slots=True)
class LoopInfo:
    """The kernel's ``loop_info64``, as far as it is used; ``size_limit`` 0: to the file's end.

    ``storage`` is told by the kernel alone.
    """

    start_bytes: int
    size_limit: int
    flags: int
    name: bytes
    storage: Storage | None = None

    def packed(self) -> bytes:
        return _STATUS.pack(
            0, 0, 0, self.start_bytes, self.size_limit, 0, 0, 0, self.flags, self.name, b"", b""
        )  # fmt: skip

    def config(self, backing: int, sector_bytes: int) -> bytes:
        """The same as ``loop_config``, for the file behind the descriptor ``backing``."""
        return _CONFIG.pack(backing, sector_bytes, self.packed())

    @classmethod
    def read(cls, raw: bytes) -> LoopInfo:
        on, inode, number, start, limit, _, _, _, flags, name, _, _ = _STATUS.unpack(raw)
        storage = _device(number) if number else ("file", on, inode)
        return cls(start, limit, flags, name.rstrip(b"\0"), storage)


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop device over ``storage``, from ``start_bytes`` on.

    ``limited``: it was told where to end. ``leaving``: it was detached already and lives as long
    as its mount, or as somebody's glance at it.
    """

    path: Path
    storage: Storage
    start_bytes: int
    size_bytes: int
    limited: bool
    leaving: bool


def storage_of(path: Path) -> Storage | None:
    """What a file or block device is, whatever it is called; None for anything else."""
    try:
        found = path.stat()
    except OSError:
        return None
    if stat.S_ISBLK(found.st_mode):
        return _device(found.st_rdev)
    return ("file", found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def stretch_of(path: Path) -> Stretch | None:
    """What a file or device shows, down to what lies on nothing else; None for anything else."""
    storage = storage_of(path)
    if storage is None:
        return None
    if storage[0] == "file":
        return Stretch(storage, 0, path.stat().st_size)
    size = number_in(folder_of(storage) / "size") * UNIT_BYTES
    return based(Stretch(storage, 0, size))


def loops_over(path: Path) -> tuple[Loop, ...]:
    """The loop devices that lie on a file or device itself, by whatever name they were made."""
    storage = storage_of(path)
    return tuple(one for one in attached_loops() if storage is not None and one.storage == storage)


def _device(number: int) -> Storage:
    return ("device", os.major(number), os.minor(number))


def folder_of(storage: Storage) -> Path:
    return _BY_NUMBER / f"{storage[1]}:{storage[2]}"


def number_in(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def based(stretch: Stretch) -> Stretch:
    """The same bytes on the storage at the bottom."""
    for _ in range(_MOST_LAYERS):
        storage = stretch.storage
        if storage[0] != "device":
            return stretch
        folder = folder_of(storage)
        if (folder / "partition").exists():
            storage = number_of(folder.resolve().parent)
            start = number_in(folder / "start") * UNIT_BYTES
        elif (loop := _loop(storage)) is not None:
            storage, start = loop.storage, loop.start_bytes
        else:
            return stretch
        stretch = Stretch(storage, stretch.start_bytes + start, stretch.size_bytes)
    return stretch


def _loop(storage: Storage) -> Loop | None:
    if storage[0] != "device" or not (folder_of(storage) / "loop").exists():
        return None
    return _read(folder_of(storage).resolve())


def attached_loops() -> Iterator[Loop]:
    for folder in sorted(_SYS.glob("loop*/loop")):
        found = _read(folder.parent)
        if found is not None:
            yield found


def _read(folder: Path) -> Loop | None:
    """The loop device of a folder in sysfs; None where it was detached this very moment."""
    try:
        backing = os.fsdecode((folder / "loop/backing_file").read_bytes().rstrip(b"\n"))
        start = int((folder / "loop/offset").read_text())
        limited = int((folder / "loop/sizelimit").read_text()) > 0
        size = int((folder / "size").read_text()) * UNIT_BYTES
        clears_itself = (folder / "loop/autoclear").read_text().strip() == "1"
    except (OSError, ValueError):
        return None
    device = DEV / folder.name
    told = _asked(device)
    storage = told.storage if told else storage_of(Path(backing.removesuffix(_DELETED)))
    leaving = clears_itself and (told is None or told.name != IN_USE)
    return None if storage is None else Loop(device, storage, start, size, limited, leaving)


def _asked(device: Path) -> LoopInfo | None:
    """What the kernel itself says lies behind; None where it does not tell this user."""
    try:
        handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return LoopInfo.read(fcntl.ioctl(handle, LOOP_GET_STATUS64, bytes(STATUS_BYTES)))
    except OSError:
        return None
    finally:
        os.close(handle)


def number_of(folder: Path) -> Storage:
    """The number of the device whose folder in sysfs this is."""
    major, _, minor = (folder / "dev").read_text().strip().partition(":")
    return ("device", int(major), int(minor))
