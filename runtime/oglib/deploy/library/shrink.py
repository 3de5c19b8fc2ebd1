# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made to fit smaller partitions.

Shrinking needs the filesystem's own tool, and that a device: the image is restored to a sparse
file that has room somewhere, the filesystem on it is made smaller, and what is left is captured
again. No disk is touched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.disk.loop import attached
from oglib.errors import FilesystemError, NotFoundError, OgErr, WriteError
from oglib.filesystem.kind import Shrink
from oglib.filesystem.kinds import kind_in_image
from oglib.filesystem.resize import minimum_size, shrink_filesystem
from oglib.image.any import Image, either
from oglib.image.reading.formats.model import StreamImage, measured
from oglib.image.reading.opened import OpenImage
from oglib.image.writing.restore import restore
from oglib.progress import Progress
from oglib.wording.amounts import human_bytes

_STEP_BLOCKS = 1 << 20
_SPARE_BYTES = 64 << 20  # what tools and the file's own filesystem need beside the content
_UNTOLD = ("", "RAW")  # what is inside is known only once it lies there


@contextmanager
def shrunk_copy(
    image: Image, size_bytes: int, folder: Path, *, progress: Progress
) -> Iterator[Path]:
    """A loop device that holds ``image`` with its filesystem made to fit ``size_bytes``.

    Its file lies in ``folder`` until the block ends; what a cut left there goes first. What
    cannot be shrunk (REDUCEFS), and a folder without room (NOTWRITE), is refused before any work.
    """
    refuse_unshrinkable(image, size_bytes)
    size = image.required_bytes or either(
        image,
        ours=lambda own: own.required_bytes,
        foreign=lambda stream: measured(stream, progress),
    )
    name = image.name
    _refuse_full(folder, _room_needed(image, size_bytes, size), name)
    sector = image.sector_size or 512
    with _sparse_file(folder / f".{name.rpartition('/')[2]}.fit", size) as copy:
        restore(image, copy, progress=progress)
        with attached(copy, sector_bytes=sector) as device:
            least = minimum_size(device)
            if least > size_bytes:
                raise _too_small(name, size_bytes, least)
            with progress.phase("shrink"):
                now = shrink_filesystem(device, size_bytes)
        os.truncate(copy, now + -now % sector)
        with attached(copy, sector_bytes=sector) as device:
            yield device


def refuse_unshrinkable(image: Image, size_bytes: int) -> None:
    """Raise (REDUCEFS) where it is known already that ``image`` cannot be that small."""
    name, word = image.name, image.filesystem
    info, kind = image.info, kind_in_image(word)
    if info.tool == "disk":
        raise FilesystemError(
            f"The image {name} holds a whole disk, of which no filesystem can be shrunk.",
            code=OgErr.REDUCEFS,
        )
    if word not in _UNTOLD and (kind is None or kind.shrink is Shrink.NEVER):
        raise FilesystemError(
            f"The image {name} holds {kind.name if kind else word}, which cannot be made smaller.",
            hint="Restore it to a partition of its own size, or make the system anew.",
            code=OgErr.REDUCEFS,
        )
    if info.tool != "raw" and info.used_blocks * info.block_size > size_bytes:
        raise _too_small(name, size_bytes, info.used_blocks * info.block_size)


def _too_small(name: str, size_bytes: int, least_bytes: int) -> FilesystemError:
    return FilesystemError(
        f"The image {name} cannot be made to fit {human_bytes(size_bytes)}: what it holds needs "
        f"{human_bytes(least_bytes)} ({least_bytes} bytes).",
        hint="Choose a larger size.",
        code=OgErr.REDUCEFS,
    )


def _room_needed(image: Image, size_bytes: int, required_bytes: int) -> int:
    """What the sparse file can come to: the content, and once more what has to move."""
    moves = _used(image, from_byte=size_bytes)
    return min(required_bytes, _used(image) + moves) + _SPARE_BYTES


def _used(image: Image, from_byte: int = 0) -> int:
    """The bytes of used blocks behind ``from_byte``; all of them where the image cannot tell."""
    return either(
        image,
        ours=lambda own: _used_of_ours(own, from_byte),
        foreign=lambda stream: _used_of_stream(stream, from_byte),
    )


def _used_of_ours(image: OpenImage, from_byte: int) -> int:
    block, total = image.header.block_size, image.header.total_blocks
    starts = range(from_byte // block, total, _STEP_BLOCKS)
    return block * sum(image.bitmap.used(start, _STEP_BLOCKS) for start in starts)


def _used_of_stream(image: StreamImage, from_byte: int) -> int:
    ranges = image.used_ranges()
    if ranges is None:
        return image.info.used_blocks * image.info.block_size
    return sum(max(0, start + length - max(start, from_byte)) for start, length in ranges)


def _refuse_full(folder: Path, need_bytes: int, name: str) -> None:
    try:
        room = os.statvfs(folder)
    except OSError as error:
        raise NotFoundError(f"There is no folder {folder}: {error.strerror}.") from error
    free = room.f_bavail * room.f_frsize
    if free < need_bytes:
        raise WriteError(
            f"{folder} has {human_bytes(free)} free, but shrinking a copy of {name} there takes "
            f"{human_bytes(need_bytes)}.",
            hint="Name a folder with more room by --scratch.",
        )


@contextmanager
def _sparse_file(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file of that size, all hole, in a folder of its own that goes with it."""
    path = folder / "partition"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
        with path.open("xb") as file:
            os.truncate(file.fileno(), size_bytes)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise WriteError(
            f"{path} cannot be made: {error.strerror}.",
            hint="Name a folder that takes large sparse files by --scratch.",
        ) from error
    try:
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)
