# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that appears under its name when it is complete and durable, and not before.

The one before it steps aside as ``NAME.ant``. Between the two renames a cut leaves both, under
names that nobody takes for an image; capturing again ends that.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib import durable
from oglib.errors import OgErr, OgError, WriteError
from oglib.partfile import is_at, locked, refuse_long
from oglib.run import undisturbed

_PART, _ASIDE = ".part", ".ant"


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """A new folder to fill; it gets its name when the block ended well, else it is removed."""
    new = folder.with_name(folder.name + _PART)
    refuse_long(folder, (_PART, _ASIDE))

    def opened() -> int:
        new.mkdir(parents=True, exist_ok=True)
        return os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    try:
        lock = locked(new, opened)
    except OSError as error:
        raise WriteError(f"{new} cannot be made: {error.strerror}.") from error
    if lock is None:
        raise OgError(
            f"Another capture is writing {folder} at this moment.",
            hint="Wait for its end, or choose another name.",
            code=OgErr.LOCKED,
        )
    try:
        for old in new.iterdir():
            old.unlink()  # of a capture that was cut
        try:
            yield new
            durable.sync(new)
            with undisturbed():
                _show(new, folder)
        except OSError as error:
            _drop(new, lock)
            raise WriteError(
                f"Writing {new} failed: {error.strerror}.",
                hint="Make room, or choose another place.",
            ) from error
        except BaseException:
            _drop(new, lock)
            raise
    finally:
        os.close(lock)


def _drop(new: Path, lock: int) -> None:
    """What was being filled; once it has its own name, what is called so is another capture's."""
    if is_at(lock, new):
        shutil.rmtree(new, ignore_errors=True)


def _show(new: Path, folder: Path) -> None:
    """The old one steps aside, the new one takes its name."""
    aside = folder.with_name(folder.name + _ASIDE)
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    durable.show(new, folder)
