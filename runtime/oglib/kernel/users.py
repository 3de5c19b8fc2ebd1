# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses a stretch of a disk or file, through whatever device: mounts, swap, maps, loop devices.

Two devices over one stretch have two claims of the kernel's, which know nothing of each other: here
they are seen together. Starts nothing, changes nothing.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.kernel.loops import (
    DEV,
    UNIT_BYTES,
    Storage,
    Stretch,
    attached_loops,
    based,
    folder_of,
    number_in,
    number_of,
    storage_of,
    stretch_of,
)

_MOUNTINFO = Path("/proc/self/mountinfo")
_PROC = Path("/proc")
_SWAPS = _PROC / "swaps"
_ESCAPE = re.compile(r"\\([0-7]{3})")


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


def held_by(point: Path) -> str:
    """In words what keeps a mount from being undone: what is mounted in it, else a process.

    Empty where nothing is found: whoever sees it from another namespace is not.
    """
    for points in _mounts().values():
        for one in points:
            if Path(one) != point and Path(one).is_relative_to(point):
                return f"something is mounted on {one}"
    for process in sorted(_PROC.glob("[0-9]*"), key=lambda one: int(one.name)):
        with suppress(OSError):  # it has ended
            links = (process / "cwd", process / "root", process / "exe", *process.glob("fd/*"))
            if any(_leads_to(link, point) for link in links):
                return f"{(process / 'comm').read_text().strip()} ({process.name}) uses it"
    return ""


def _leads_to(link: Path, point: Path) -> bool:
    """By its words alone: to look at the file itself may take for ever."""
    try:
        return link.readlink().is_relative_to(point)
    except OSError:
        return False


def _users(base: Storage) -> Iterator[User]:
    """Every device over ``base``, itself included where it is one, with what it is used for."""
    mounts, swaps = _mounts(), _swaps()
    if base[0] == "file":
        if base in swaps:  # a file may be swapped to without any device
            whole = Stretch(base, 0, 1 << 62)
            yield User(Path("the kernel"), whole, ("active swap",))
    else:
        yield from _device_users(base, mounts, swaps, leaving=False, to_the_end=False)
    for loop in attached_loops():
        number = storage_of(loop.path)
        found = based(Stretch(loop.storage, loop.start_bytes, loop.size_bytes))
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
    folder = folder_of(number).resolve()
    parts = sorted(folder.glob(f"{folder.name}*/partition"))
    for part in parts:
        yield _user(number_of(part.parent), mounts, swaps)
    whole = _user(number, mounts, swaps)
    # what is mapped by others may lie anywhere on it
    to_the_end = to_the_end and not any((folder / "holders").glob("*"))
    yield replace(whole, leaving=leaving, to_the_end=to_the_end, parted=bool(parts))


def _user(number: Storage, mounts: dict[Storage, list[str]], swaps: set[Storage]) -> User:
    folder = folder_of(number)
    points = tuple(mounts.get(number, ()))
    uses = [f"mounted on {point}" for point in points]
    if number in swaps:
        uses.append("active swap")
    uses += [f"holds {_called(holder)}" for holder in sorted((folder / "holders").glob("*"))]
    size = number_in(folder / "size") * UNIT_BYTES
    device = DEV / folder.resolve().name
    return User(device, based(Stretch(number, 0, size)), tuple(uses), points)


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
