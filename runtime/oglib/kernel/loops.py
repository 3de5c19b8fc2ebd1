# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's loop devices: what lies behind them, and who uses which stretch of it.

A file is known by its device and inode, never by its name: the kernel keeps the name under which
it was attached, and a file that was renamed, deleted or has a second name is the same file. Two
devices over one stretch have two claims of the kernel's, which know nothing of each other: here
they are seen together. Starts nothing, changes nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_SYS = Path("/sys/block")
_BY_NUMBER = Path("/sys/dev/block")
_DEV = Path("/dev")
_MOUNTINFO = Path("/proc/self/mountinfo")
_SWAPS = Path("/proc/swaps")
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
_UNIT_BYTES = 512  # sysfs counts starts and sizes in these
_MOST_LAYERS = 8  # of loop devices over loop devices: the kernel refuses a ring
_ESCAPE = re.compile(r"\\([0-7]{3})")

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


@dataclass(frozen=True, slots=True)
class User:
    """A device over a stretch, and in words what it is used for; empty: it is only attached.

    ``parted``: it has partitions, each a user of its own.
    """

    device: Path
    stretch: Stretch
    uses: tuple[str, ...] = ()
    mountpoints: tuple[str, ...] = ()
    leaving: bool = False
    to_the_end: bool = False
    parted: bool = False

    def overlaps(self, other: Stretch) -> bool:
        """Whether what it uses may lie in ``other``.

        One without a limit reaches to the end of its file, its filesystem only as far as it goes:
        what begins behind its start is another partition.
        """
        mine = self.stretch
        if mine.storage != other.storage:
            return False
        if self.to_the_end and mine.start_bytes and mine.start_bytes < other.start_bytes:
            return False
        return mine.start_bytes < other.end_bytes and other.start_bytes < mine.end_bytes


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
    size = _number(_folder(storage) / "size") * _UNIT_BYTES
    return _based(Stretch(storage, 0, size))


def loops_over(path: Path) -> tuple[Loop, ...]:
    """The loop devices that lie on a file or device itself, by whatever name they were made."""
    storage = storage_of(path)
    return tuple(one for one in _attached() if storage is not None and one.storage == storage)


def users_of(path: Path) -> tuple[User, ...]:
    """Who uses the storage of ``path`` through another device: places count from its start.

    What is only attached is among them. Of ``path`` itself nothing is said.
    """
    mine = stretch_of(path)
    if mine is None:
        return ()
    own = storage_of(path)
    return tuple(
        replace(user, stretch=replace(user.stretch, start_bytes=start - mine.start_bytes))
        for user in _users(mine.storage)
        if storage_of(user.device) != own and user.overlaps(mine)
        for start in (user.stretch.start_bytes,)
    )


def refused_by(path: Path) -> str:
    """In words who else uses what ``path`` shows, through another device; empty: nobody does.

    The kernel's own claim on ``path`` is asked for by opening it. For whoever is about to write:
    the question can get in the way of somebody who mounts such a device at this very moment.
    """
    for user in users_of(path):
        if user.mountpoints:  # by whatever device: a person knows where
            return f"it is mounted on {user.mountpoints[0]}"
        if user.uses:
            return f"{user.device} over the same storage is {user.uses[0]}"
        if not user.parted and _is_claimed(user.device):
            return f"{user.device} over the same storage is in use"
    return ""


def _device(number: int) -> Storage:
    return ("device", os.major(number), os.minor(number))


def _folder(storage: Storage) -> Path:
    return _BY_NUMBER / f"{storage[1]}:{storage[2]}"


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def _based(stretch: Stretch) -> Stretch:
    """The same bytes on the storage at the bottom."""
    for _ in range(_MOST_LAYERS):
        storage = stretch.storage
        if storage[0] != "device":
            return stretch
        folder = _folder(storage)
        if (folder / "partition").exists():
            storage = _told(folder.resolve().parent)
            start = _number(folder / "start") * _UNIT_BYTES
        elif (loop := _loop(storage)) is not None:
            storage, start = loop.storage, loop.start_bytes
        else:
            return stretch
        stretch = Stretch(storage, stretch.start_bytes + start, stretch.size_bytes)
    return stretch


def _loop(storage: Storage) -> Loop | None:
    if storage[0] != "device" or not (_folder(storage) / "loop").exists():
        return None
    return _read(_folder(storage).resolve())


def _attached() -> Iterator[Loop]:
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
        size = int((folder / "size").read_text()) * _UNIT_BYTES
        clears_itself = (folder / "loop/autoclear").read_text().strip() == "1"
    except (OSError, ValueError):
        return None
    device = _DEV / folder.name
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


def _users(base: Storage) -> Iterator[User]:
    """Every device over ``base``, itself included where it is one, with what it is used for."""
    mounts, swaps = _mounts(), _swaps()
    if base[0] == "file":
        if base in swaps:  # a file may be swapped to without any device
            whole = Stretch(base, 0, 1 << 62)
            yield User(Path("the kernel"), whole, ("active swap",))
    else:
        yield from _device_users(base, mounts, swaps, leaving=False, to_the_end=False)
    for loop in _attached():
        number = storage_of(loop.path)
        found = _based(Stretch(loop.storage, loop.start_bytes, loop.size_bytes))
        if found.storage == base and number is not None:
            open_end = not loop.limited
            yield from _device_users(
                number, mounts, swaps, leaving=loop.leaving, to_the_end=open_end
            )


def _device_users(
    number: Storage, mounts: dict[Storage, list[str]], swaps: set[Storage],
    *, leaving: bool, to_the_end: bool,
) -> Iterator[User]:  # fmt: skip
    """A device and its partitions."""
    folder = _folder(number).resolve()
    parts = sorted(folder.glob(f"{folder.name}*/partition"))
    for part in parts:
        yield _user(_told(part.parent), mounts, swaps)
    whole = _user(number, mounts, swaps)
    # what is mapped by others may lie anywhere on it
    to_the_end = to_the_end and not any((folder / "holders").glob("*"))
    yield replace(whole, leaving=leaving, to_the_end=to_the_end, parted=bool(parts))


def _user(number: Storage, mounts: dict[Storage, list[str]], swaps: set[Storage]) -> User:
    folder = _folder(number)
    points = tuple(mounts.get(number, ()))
    uses = [f"mounted on {point}" for point in points]
    if number in swaps:
        uses.append("active swap")
    uses += [f"holds {_called(holder)}" for holder in sorted((folder / "holders").glob("*"))]
    size = _number(folder / "size") * _UNIT_BYTES
    device = _DEV / folder.resolve().name
    return User(device, _based(Stretch(number, 0, size)), tuple(uses), points)


def _told(folder: Path) -> Storage:
    """The number of the device whose folder in sysfs this is."""
    major, _, minor = (folder / "dev").read_text().strip().partition(":")
    return ("device", int(major), int(minor))


def _called(holder: Path) -> str:
    try:
        return f"/dev/mapper/{(holder / 'dm/name').read_text().strip()}"
    except OSError:
        return f"/dev/{holder.name}"


def _is_claimed(device: Path) -> bool:
    """Whether the kernel has given it to somebody: also a mount that another namespace sees."""
    try:
        handle = os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        return error.errno == errno.EBUSY
    os.close(handle)
    return False


def _mounts() -> dict[Storage, list[str]]:
    """Mountpoints by device; some filesystems hide their device's number, so its name counts."""
    found: dict[Storage, list[str]] = {}
    for line in _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        words, _, behind = line.partition(" - ")
        before, after = words.split(" "), behind.split(" ")
        if len(before) < 5 or len(after) < 2:
            continue
        major, _, minor = before[2].partition(":")
        numbers: set[Storage] = {("device", int(major), int(minor))}
        if after[1].startswith("/") and (source := storage_of(Path(_unescaped(after[1])))):
            numbers.add(source)
        for number in numbers:
            found.setdefault(number, []).append(_unescaped(before[4]))
    return found


def _swaps() -> set[Storage]:
    lines = _SWAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()[1:]
    found = (storage_of(Path(_unescaped(line.split()[0]))) for line in lines if line.strip())
    return {one for one in found if one is not None}


def _unescaped(word: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), word)
