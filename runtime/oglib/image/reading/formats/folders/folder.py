# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that is a folder: what Clonezilla and FOG have in common, and which one it is.

Names and texts in the folder are not trusted: only files that stand directly in it are read,
and of a size that such a file can have. The readers of each kind are beside this file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oglib.errors import ImageError, NotFoundError, OgErr, UsageError
from oglib.image.reading.formats.folders import clonezilla, fog
from oglib.image.reading.formats.folders.saved_disk import (
    FolderImage,
    FolderInfo,
    PartImage,
    SwapInfo,
)
from oglib.image.reading.formats.model import ImageInfo

__all__ = [
    "FolderImage",
    "FolderInfo",
    "PartImage",
    "SwapInfo",
    "describe_folder",
    "folder_at",
    "folder_image",
    "is_folder_image",
    "named_in",
]

_IS: dict[str, Callable[[set[str]], bool]] = {"clonezilla": clonezilla.is_one, "fog": fog.is_one}
_READ: dict[str, Callable[[Path, str], FolderImage]] = {
    "clonezilla": clonezilla.read,
    "fog": fog.read,
}


def is_folder_image(path: Path) -> str:
    """``clonezilla``, ``fog``, or "" where ``path`` is no folder with an image of either.

    Of a folder that cannot be listed as well: a file in it may be read all the same.
    """
    try:
        return _kind_of(path)
    except OSError:
        return ""


def _kind_of(path: Path) -> str:
    names = {each.name for each in path.iterdir()} if path.is_dir() else set()
    return next((kind for kind, is_one in _IS.items() if is_one(names)), "")


def folder_at(path: Path) -> FolderImage | None:
    """The first disk of the folder image at ``path``; None where it is none."""
    try:
        kind = _kind_of(path)
    except OSError:
        return None  # a file in it may be read all the same
    return _read(kind, path, "") if kind else None


def folder_image(path: Path, disk: str = "") -> FolderImage:
    """Read what the folder says of one disk (default: its first); content stays untouched.

    Raises ``NotFoundError`` where there is no folder or no such disk in it, ``ImageError``
    where it is no image, or its texts contradict each other.
    """
    if not path.is_dir():
        raise NotFoundError(f"There is no folder {path}.")
    try:
        kind = _kind_of(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not kind:
        raise ImageError(
            f"The folder {path} holds no image.",
            hint="Known are folders of Clonezilla (with a file `parts`) and FOG (with `d1.mbr`).",
        )
    return _read(kind, path, disk)


def _read(kind: str, path: Path, disk: str) -> FolderImage:
    try:
        return _READ[kind](path, disk)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ImageError:
    return ImageError(
        f"The image folder {path} cannot be read: {error.strerror}.", code=OgErr.IMAGEFILE
    )


def named_in(folder: Path, word: str) -> tuple[FolderImage, int]:
    """The disk that ``word`` is about, and the number of the partition, 0 for the whole disk.

    ``sdb``, ``sdb2``, ``nvme0n1p2``, ``d2``, ``d2p1`` as the folder calls them, or the number of a
    partition where one disk alone has it. ``UsageError`` for anything else.
    """
    first = folder_image(folder)
    images = [first, *(folder_image(folder, other) for other in first.others)]
    if found := next((image for image in images if image.disk == word), None):
        return found, 0
    named = {
        image.parts[number].device: (image, number) for image in images for number in image.parts
    }
    numbered = [found for found in named.values() if str(found[1]) == word]
    if word in named:
        return named[word]
    if len(numbered) == 1:
        return numbered[0]
    problem = f"is one of {len(numbered)} disks" if numbered else "is not there"
    raise UsageError(
        f"Partition {word:.80} of the image {folder} {problem}.",
        hint=f"It has: {' '.join(named):.400}.",
    )


def describe_folder(path: Path) -> ImageInfo:
    """The image as a whole (see ``FolderImage.info``); ``damage`` where it is no image at all."""
    try:
        return folder_image(path).info
    except ImageError as error:
        return ImageInfo(tool=is_folder_image(path), compressor="", volumes=0, damage=str(error))
