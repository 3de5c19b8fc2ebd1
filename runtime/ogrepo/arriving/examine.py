# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of another program, read once to its end: whether it is whole, and which bytes it has.

What its reader proves on the way (checksums inside, the end of what is packed, its own length) is
what tells a half-copied file from a whole one, whatever it is called and however long it rested.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from oglib.errors import ImageError, WriteError
from oglib.image.format.companions import Checksums
from oglib.image.format.foreign_record import ForeignRecord, PieceDigests
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.source import FrameSource
from oglib.progress import Progress
from oglib.wording.amounts import human_bytes
from ogrepo.arriving.tapped import Tapped

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. ``sums`` are the texts of ``.sum`` and ``.full.sum``."""

    info: ImageInfo
    size_bytes: int
    image_blake3: str
    piece_bytes: int
    pieces: str
    sums: tuple[str, str]
    warnings: tuple[str, ...]

    def record(self, name: str, hostname: str, version: int, key_id: str) -> ForeignRecord:
        """What is signed of it."""
        info = self.info
        host = "".join(char for char in hostname if char.isprintable())[:255]
        return ForeignRecord(
            name=name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            tool=info.tool,
            compressor=info.compressor,
            filesystem=info.filesystem,
            required_bytes=info.required_bytes,
            hostname=host,
            image_size_bytes=self.size_bytes,
            image_blake3=self.image_blake3,
            piece_bytes=self.piece_bytes,
            pieces=self.pieces,
            version=version,
            key_id=key_id,
        )


def examine(
    source: FrameSource,
    name: str,
    *,
    scratch: Path,
    progress: Progress,
    copy: BinaryIO | None = None,
    passed: Callable[[int], None] | None = None,
) -> Examined:
    """Read all of ``source``, which belongs to it; ``ImageError`` where it is damaged or unknown.

    ``copy`` is written what is read. ``passed`` is told how much was read so far.
    """
    size = source.size_bytes
    try:
        if not size:
            raise ImageError(f"{source.describe()} is empty: it is no image.")
        digests, sums = PieceDigests(size), Checksums(full=True)
        with progress.phase("read", size) as phase:
            done = 0

            def take(data: bytes) -> None:
                nonlocal done
                if copy is not None:
                    _write(copy, data, left=size - done)
                digests.update(data)
                sums.update(data)
                done += len(data)
                phase.advance(len(data))
                if passed is not None:
                    passed(done)

            tapped = Tapped(source, take)
            info, warnings = _read_whole(tapped, name, scratch)
            tapped.finish()
    finally:
        source.close()
    whole, pieces = digests.finish()
    return Examined(info, size, whole, digests.piece_bytes, pieces, sums.texts(), warnings)


def _read_whole(tapped: Tapped, name: str, scratch: Path) -> tuple[ImageInfo, tuple[str, ...]]:
    with closing(open_stream(tapped, name, scratch=scratch)) as stream:
        end = 0
        for region in stream.regions():
            offset, length = region.runs[-1]
            end = max(end, offset + length)
        info = stream.info
        if not info.required_bytes:
            info = replace(info, required_bytes=end)
        return info, stream.warnings


def _write(file: BinaryIO, data: bytes, *, left: int) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        raise no_room(Path(os.fsdecode(file.name)).parent, error, left) from error


def is_full(error: OSError) -> bool:
    """Whether it says that the disk, or what one may use of it, is full."""
    return error.errno in _FULL


def no_room(folder: Path, error: OSError, left: int = 0) -> WriteError:
    """For a write that failed when ``left`` bytes were still to come, 0 = nobody knows."""
    if not is_full(error):
        return WriteError(f"Writing in {folder} failed: {error.strerror}.")
    there = os.statvfs(folder)
    free = there.f_bavail * there.f_frsize
    missing = f"{human_bytes(max(0, left - free))} at least are" if left else "more is"
    return WriteError(
        f"The repository's disk is full: {human_bytes(free)} are free, and {missing} missing.",
        hint="Nothing of the image was kept. Remove what is not needed, then import it again.",
    )
