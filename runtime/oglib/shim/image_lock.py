# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks on images: the file ``NAME.img.lock`` beside an image that OpenGnsys' scripts know.

It holds ``PID START BOOT MAC HOST`` of the process that it belongs to: an image lies where several
PCs write. A lock of this PC whose process is gone does not count and is removed when met; one of
another PC counts until it is unlocked, and so does one that says something else (made by
``touch``, or "mounted" and "reduced" by a server that works on a synchronised image).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from oglib import durable
from oglib.disk.lock import guarded, start_of
from oglib.errors import NotFoundError, OgErr, OgError, UsageError, WriteError, printable
from oglib.shim.command import Command, command_of
from oglib.shim.place import Place, places
from oglib.shim.target import yes_or_no

_SUFFIX = ".lock"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NO_MAC = "-"
_MOST_BYTES = 512
_WHERE = "[REPO|CACHE|CDROM | DISK PARTITION] FILE"


@dataclass(frozen=True, slots=True)
class _Holder:
    """What a lock says; ``pid`` 0 where it names no process."""

    pid: int = 0
    start: int = 0
    boot: str = ""
    mac: str = ""
    host: str = ""
    text: str = ""

    def describe(self) -> str:
        if self.pid:
            return f"process {self.pid} on {printable(self.host)}"
        return f"a server ({printable(self.text)})" if self.text else "somebody"


def image_file(place: Place) -> Path:
    """The real path of an image that need not be there yet; its folder must (OG_ERR_NOTFOUND)."""
    leaf = place.name.rstrip("/").rpartition("/")[2]
    if leaf in ("", ".", ".."):
        raise UsageError(f"{place.name!r} does not name an image.")
    return place.find() or place.parent().folder() / leaf


def refuse_locked_image(image: Path) -> None:
    """Raise LOCKED when anybody holds the lock of an image, whoever asks."""
    with guarded():
        holder = _living(_lock_of(image))
    if holder is not None:
        raise _locked(image, holder)


@contextmanager
def held_image(image: Path) -> Iterator[None]:
    """Locked by this process for the length of a ``with`` block; LOCKED when it was before."""
    _take(image, os.getpid(), again=False)
    try:
        yield
    finally:
        path, own = _lock_of(image), os.getpid()
        with guarded():
            holder = _living(path)
            mine = (own, start_of(own), _boot())
            # who unlocked it may have let another one take it
            if holder is not None and (holder.pid, holder.start, holder.boot) == mine:
                path.unlink(missing_ok=True)


def _take(image: Path, pid: int, *, again: bool) -> None:
    path = _lock_of(image)
    start, boot, mac = start_of(pid), _boot(), _mac()
    words = f"{pid} {start} {boot} {mac} {os.uname().nodename}\n"
    with guarded():
        holder = _living(path)
        if holder is not None:
            if again and (holder.pid, holder.start, holder.boot) == (pid, start, boot):
                return
            raise _locked(image, holder)
        try:
            # other PCs are kept out by O_EXCL alone: a share may know no other lock
            # an empty one, after a power cut, would be nobody's
            durable.store(path, words.encode(), new=True)
        except FileExistsError:
            raise _locked(image, _Holder()) from None
        except OSError as error:
            raise WriteError(f"{path} cannot be made: {error.strerror}.") from error


def _locked(image: Path, holder: _Holder) -> OgError:
    return OgError(
        f"The image {image} is locked by {holder.describe()}.",
        hint="Wait until it has finished, or unlock it by ogUnlockImage.",
        code=OgErr.LOCKED,
    )


def _living(path: Path) -> _Holder | None:
    """Who holds a lock; a lock of this PC whose holder is gone is removed."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError:
        return _Holder()  # it is there, and more cannot be said
    holder = _parsed(text)
    if not _is_gone(holder):
        return holder
    with suppress(OSError):  # a repository that is mounted read-only keeps it; it does not count
        path.unlink(missing_ok=True)
    return None


def _parsed(text: str) -> _Holder:
    match text.split():
        case [pid, start, boot, mac, host] if pid.isdecimal() and start.isdecimal():
            return _Holder(int(pid), int(start), boot, mac, host)
    return _Holder(text=text)


def _is_gone(holder: _Holder) -> bool:
    if not holder.pid:
        return False
    if holder.boot == _boot():
        return start_of(holder.pid) != holder.start
    # the same PC, booted anew
    return holder.mac == _mac() != _NO_MAC


def _boot() -> str:
    return _BOOT_ID.read_text().strip()


def _mac() -> str:
    """What tells this PC from others; nothing does where it has no network card."""
    try:
        return str(command_of("ogGetMacAddress").run([])) or _NO_MAC
    except OgError:
        return _NO_MAC


def _lock_of(image: Path) -> Path:
    return image.with_name(f"{image.name}{_SUFFIX}")


def _lock(words: Sequence[str]) -> None:
    _take(image_file(places(words, 1)[0]), os.getppid(), again=True)


def _unlock(words: Sequence[str]) -> None:
    try:
        path = _lock_of(image_file(places(words, 1)[0]))
    except NotFoundError:
        return  # in no folder is no lock
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{path} cannot be removed: {error.strerror}.") from error


@yes_or_no
def _is_locked(words: Sequence[str]) -> bool:
    image = image_file(places(words, 1)[0])
    with guarded():
        return _living(_lock_of(image)) is not None


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogLockImage",
            _WHERE,
            "locks an image for the calling script",
            _lock,
            1,
            3,
            "ogLockImage REPO /debian.img",
            "The lock belongs to the calling script and ends with it, so none stays behind; what "
            "another script or PC has locked is refused (LOCKED).",
        ),
        Command(
            "ogUnlockImage",
            _WHERE,
            "unlocks an image",
            _unlock,
            1,
            3,
            "ogUnlockImage REPO /debian.img",
        ),
        Command(
            "ogIsImageLocked",
            _WHERE,
            "says by its exit code whether an image is locked (0) or not (1)",
            _is_locked,
            1,
            3,
            "ogIsImageLocked REPO /debian.img",
            "A lock whose script has ended, or whose PC was started anew, does not count.",
        ),
    )
}
