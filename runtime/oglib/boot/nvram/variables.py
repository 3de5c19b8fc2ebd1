# SPDX-License-Identifier: GPL-3.0-or-later
"""The firmware's variables as files, the one place that reads and writes them (Linux' efivarfs).

A file holds four bytes of attributes and then the value. A tree of plain files with the same names
serves as well. Whether a variable was kept is asked of the firmware again by whoever wrote it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.boot.firmware import check_uefi
from oglib.disk.firmware import running_firmware
from oglib.errors import OgError, WriteError
from oglib.texts import read_whole

SYS = Path("/sys")
_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
# Kept without power, and seen by boot loaders and systems alike.
_ATTRIBUTES = (7).to_bytes(4, "little")
_MOST_BYTES = 64 * 1024
_ENTRY = re.compile(rf"Boot([0-9A-F]{{4}})-{_GLOBAL}", re.ASCII)
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10
_FULL = (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT)


class Variables:
    """The variables of the firmware's own namespace that are about booting."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> tuple[int, ...]:
        """The numbers of the entries that there are, in use or not."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError as error:
            raise self._unreadable(self.folder, error) from error
        return tuple(sorted(int(found[1], 16) for found in map(_ENTRY.fullmatch, names) if found))

    def read(self, name: str) -> bytes | None:
        """The value of a variable; None where there is none. OgError where that cannot be told."""
        path = self._path(name)
        try:
            raw = read_whole(path, _MOST_BYTES, follow=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(path, error) from error
        if len(raw) < len(_ATTRIBUTES):
            raise OgError(f"The firmware's variable {name} has no attributes.")
        return raw[len(_ATTRIBUTES) :]

    def write(self, name: str, value: bytes) -> None:
        """Store a variable, in one write as the kernel wants it. WriteError where it is refused."""
        path = self._path(name)
        try:
            with _changeable(path):
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    os.write(handle, _ATTRIBUTES + value)
                    if os.fstat(handle).st_size > len(_ATTRIBUTES) + len(value):
                        os.ftruncate(handle, len(_ATTRIBUTES) + len(value))  # of a plain file
                finally:
                    os.close(handle)
        except OSError as error:
            raise self._refused(name, "does not take", error) from error

    def delete(self, name: str) -> None:
        """Remove a variable; one that is not there is removed already."""
        path = self._path(name)
        try:
            with _changeable(path, goes=True):
                path.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._refused(name, "does not give up", error) from error

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}-{_GLOBAL}"

    def _unreadable(self, path: Path, error: OSError) -> OgError:
        return OgError(f"The firmware's {path.name} cannot be read: {error.strerror}.")

    def _refused(self, name: str, what: str, error: OSError) -> WriteError:
        full = error.errno in _FULL
        return WriteError(
            f"The firmware {what} its variable {name}: "
            f"{'its memory is full' if full else error.strerror}.",
            hint="Remove entries that nobody needs: `og boot clean`." if full else
            "The firmware's own setup may have a lock for it.",
        )  # fmt: skip


def here() -> Variables:
    """This PC's own; NOTUEFI where it was not started by UEFI."""
    check_uefi(running_firmware(sys=SYS), "boot entries of a firmware")
    folder = SYS / "firmware/efi/efivars"
    if not folder.is_dir() or not any(folder.iterdir()):
        raise OgError(
            "The firmware's variables are not shown by this kernel.",
            hint=f"Mount them: `mount -t efivarfs efivarfs {folder}`.",
        )
    return Variables(folder)


@contextmanager
def _changeable(path: Path, *, goes: bool = False) -> Iterator[None]:
    """Without the mark that Linux sets on variables whose loss harms a PC; it comes back after.

    It sets none on those of booting, but a kernel or a hand may have.
    """
    flags = _flags_of(path)
    if flags & _IMMUTABLE:
        _set_flags(path, flags & ~_IMMUTABLE)
    try:
        yield
    finally:
        if flags & _IMMUTABLE and not goes:
            _set_flags(path, flags)


def _flags_of(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        got = fcntl.ioctl(handle, _GET_FLAGS, bytes(8))
    except OSError:  # a filesystem without such marks
        return 0
    finally:
        os.close(handle)
    return int(struct.unpack("<I", got[:4])[0])


def _set_flags(path: Path, flags: int) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("<Q", flags))
    finally:
        os.close(handle)
