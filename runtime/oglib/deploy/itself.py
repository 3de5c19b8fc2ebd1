# SPDX-License-Identifier: GPL-3.0-or-later
"""An image is never written over itself, and no disk is captured into the file that it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from oglib.deploy.opening.foreign import in_folder
from oglib.deploy.opening.reference import is_path
from oglib.errors import OgError, UsageError
from oglib.kernel.loops import storage_of, stretch_of

_MOST_FILES = 10_000


def refuse_itself(image: str, target: Path) -> None:
    """Raise where the file of ``image``, as it was named, is what ``target`` shows or lies on."""
    base = stretch_of(target)
    if base is None or base.storage[0] != "file":
        return
    for file in _files(image):
        if storage_of(file) == base.storage:
            raise UsageError(
                f"{file} is the image, and the target lies in it.",
                hint="Name another target: an image is not written over itself, nor compared.",
            )


def refuse_into_itself(disk: Path, files: Sequence[Path]) -> None:
    """Raise where one of ``files``, which a capture of ``disk`` writes, is the disk itself."""
    base = stretch_of(disk)
    for file in files:
        if base is not None and storage_of(file) == base.storage:
            raise UsageError(
                f"{file} is the disk that is captured.",
                hint="Give the image another name, or another folder.",
            )


def _files(image: str) -> Iterator[Path]:
    """The files that an image consists of, where it is named by a path."""
    path = Path(image)
    if not is_path(image) and not path.is_absolute():
        return
    folder = path if path.is_dir() else path.parent if _is_in_folder(path) else None
    if folder is not None:
        yield from islice(folder.iterdir(), _MOST_FILES)
        return
    from oglib.image.reading.volumes import volumes_of  # noqa: PLC0415 - commands start fast

    try:
        yield from volumes_of(path)
    except OgError:
        return  # whoever opens it will say why


def _is_in_folder(path: Path) -> bool:
    try:
        return in_folder(path) is not None
    except OgError:
        return False
