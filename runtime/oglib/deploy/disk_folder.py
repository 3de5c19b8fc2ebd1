# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that appears under its name when it is complete and durable, and not before.

The one before it steps aside as ``NAME.ant``. Between the two renames a cut leaves both, under
names that nobody takes for an image; capturing again ends that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.errors import OgErr, OgError, WriteError
from oglib.run import undisturbed

_PART, _ASIDE = ".part", ".ant"


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """A new folder to fill; it gets its name when the block ended well, else it is removed."""
    new = folder.with_name(folder.name + _PART)
    try:
        new.mkdir(parents=True, exist_ok=True)
        lock = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise WriteError(f"{new} cannot be made: {error.strerror}.") from error
    try:
        _lock(lock, folder)
        for old in new.iterdir():
            old.unlink()  # of a capture that was cut
        try:
            yield new
            os.fsync(lock)
            with undisturbed():
                _show(new, folder)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise WriteError(
                f"Writing {new} failed: {error.strerror}.",
                hint="Make room, or choose another place.",
            ) from error
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def _lock(folder_fd: int, folder: Path) -> None:
    try:
        fcntl.flock(folder_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OgError(
            f"Another capture is writing {folder} at this moment.",
            hint="Wait for its end, or choose another name.",
            code=OgErr.LOCKED,
        ) from None


def _show(new: Path, folder: Path) -> None:
    """The old one steps aside, the new one takes its name."""
    aside = folder.with_name(folder.name + _ASIDE)
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    new.rename(folder)
    _sync(folder.parent)


def store(data: bytes, path: Path) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
