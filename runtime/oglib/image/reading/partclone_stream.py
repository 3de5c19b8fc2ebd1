# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a foreign image, told again as partclone tells it: header, bitmap, used blocks.

So one recorder serves captures and conversions. The bitmap comes before the first block, and
some images know only at their end which blocks they hold: those are read twice. Writes nothing
but the bitmap, into a file; what is read is verified by the image itself on the way.
"""

from __future__ import annotations

import io
import mmap
import os
import struct
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from oglib.errors import ImageError
from oglib.filesystem.kinds import kind_in_image
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.partclone import (
    BITMAP_BITS,
    CHECKSUM_NONE,
    CRC_BYTES,
    HEADER_BYTES,
    MAX_BITMAP_BYTES,
    Header,
    crc32,
)
from oglib.image.reading.formats.model import ImageInfo, StreamImage, measured
from oglib.progress import Progress

_RAW_BLOCK_BYTES = 4096
_SECTOR_BYTES = 512
_STEP_BYTES = 1 << 20
_DROP_BLOCKS = 1 << 26  # 8 MiB of bitmap
_WHOLE = ("raw", "disk")  # what these tools write has no bitmap: all of it counts


@contextmanager
def partclone_stream(image: StreamImage, folder: Path, progress: Progress) -> Iterator[BinaryIO]:
    """The image as a partclone 0002 stream without checksums; read it to its end.

    ``folder`` takes the bitmap. Raises ``ImageError``, here or while reading, for what the image
    finds wrong with itself and for content that no partclone image can hold.
    """
    header = _header_of(image, image.info.required_bytes or measured(image, progress))
    bitmap_end = HEADER_BYTES + (header.total_blocks + 7) // 8
    with TemporaryFile(dir=folder) as file:
        os.truncate(file.fileno(), bitmap_end + CRC_BYTES)
        with mmap.mmap(file.fileno(), bitmap_end + CRC_BYTES) as room:
            used = seen = 0
            with closing(_used_blocks(image, header, progress)) as stretches:
                for first, count in stretches:
                    _set_bits(room, first, count)
                    used += count
                    if first - seen >= _DROP_BLOCKS:
                        # Pages already written must not count as this process's memory.
                        room.madvise(mmap.MADV_DONTNEED)
                        seen = first
            header = replace(header, used_blocks=used)
            room[:HEADER_BYTES] = header.to_bytes()
            room[bitmap_end:] = struct.pack("<I", _crc_of(room, HEADER_BYTES, bitmap_end))
        with (
            Bitmap(file, HEADER_BYTES, header.total_blocks) as bitmap,
            closing(_checked(image, header, bitmap)) as regions,
        ):
            file.seek(0)
            yield _Stream(file, regions)  # type: ignore[misc]  # a RawIOBase serves as one


def _header_of(image: StreamImage, size: int) -> Header:
    """What the image's own numbers say, ``used_blocks`` still unknown."""
    info = image.info
    raw = info.tool in _WHOLE
    word = "raw" if raw else _word_of(info)
    block = info.block_size
    if raw or not block:
        # Of raw content every block is used, so any size serves that divides it.
        block = _SECTOR_BYTES if size % _RAW_BLOCK_BYTES else _RAW_BLOCK_BYTES
    total = info.total_blocks if info.total_blocks and not raw else size // block
    if not 0 < total <= 8 * MAX_BITMAP_BYTES or size % _SECTOR_BYTES:
        raise ImageError(
            f"The content of {image.name} has {size} bytes, which are not whole sectors of a disk.",
            hint="Is the file complete?",
        )
    return Header("oglive", word[:15], size, total, 0, block, CHECKSUM_NONE, BITMAP_BITS)


def _word_of(info: ImageInfo) -> str:
    """partclone's word for the image's filesystem."""
    if info.tool == "partclone":
        return info.filesystem
    kind = kind_in_image(info.filesystem)
    return kind.image_word if kind else info.filesystem.upper()


def _used_blocks(
    image: StreamImage, header: Header, progress: Progress
) -> Generator[tuple[int, int], None, None]:
    """The used blocks as (block, length), ascending: known before, or by reading all of it."""
    if image.info.tool in _WHOLE:
        yield 0, header.total_blocks
        return
    known = image.used_ranges()
    if known is not None:
        yield from _blocks(image, header, known)
        return
    with progress.phase("read", image.content_bytes) as phase:
        for region in image.regions():
            phase.advance(sum(length for _, length in region.runs))
            yield from _blocks(image, header, region.runs)


def _blocks(
    image: StreamImage, header: Header, runs: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Byte runs as block runs, without NTFS' spare boot sector behind the last block.

    partclone stores none: a restore makes it from the boot sector.
    """
    block, end = header.block_size, header.total_blocks * header.block_size
    kind = kind_in_image(header.filesystem)
    spare = kind is not None and kind.spare_boot_sector
    for offset, run_length in runs:
        length = run_length
        if spare and offset <= end < offset + length:
            length = end - offset
        if offset % block or length % block or offset + length > end:
            raise _no_blocks(image, offset)
        if length:
            yield offset // block, length // block


def _no_blocks(image: StreamImage, offset: int) -> ImageError:
    return ImageError(
        f"What {image.name} holds near byte {offset} of its partition is not in its blocks.",
        hint="The image contradicts itself; make it again.",
    )


def _set_bits(room: mmap.mmap, first: int, count: int) -> None:
    """Mark ``count`` blocks from ``first`` in the bitmap behind the header."""
    end = first + count
    while first < end:
        at = HEADER_BYTES + first // 8
        if first % 8 or end - first < 8:
            stop = min(end, first - first % 8 + 8)
            room[at] |= ((1 << (stop - first)) - 1) << (first % 8)
        else:
            whole = min((end - first) // 8, _STEP_BYTES)
            room[at : at + whole] = b"\xff" * whole
            stop = first + whole * 8
            if whole == _STEP_BYTES:
                room.madvise(mmap.MADV_DONTNEED)
        first = stop


def _crc_of(room: mmap.mmap, start: int, end: int) -> int:
    crc = 0xFFFFFFFF
    for at in range(start, end, _STEP_BYTES):
        crc = crc32(room[at : min(at + _STEP_BYTES, end)], crc)
        room.madvise(mmap.MADV_DONTNEED)
    return crc


def _checked(
    image: StreamImage, header: Header, bitmap: Bitmap
) -> Generator[memoryview, None, None]:
    """The content of every used block, in pieces; raises unless it is where the bitmap says."""
    expected = 0
    for region in image.regions():
        told = _joined(_blocks(image, header, region.runs))
        if not told:
            continue
        first, last = told[0][0], sum(told[-1])
        if bitmap.used(expected, first - expected) or bitmap.runs(first, last - first) != told:
            raise ImageError(
                f"{image.name} says something else about its blocks when it is read again.",
                hint="Does somebody write to it? Wait for its end.",
            )
        expected = last
        left = sum(count for _, count in told) * header.block_size
        for view in region.views:
            piece = memoryview(view)[:left]
            left -= len(piece)
            if piece:
                yield piece


def _joined(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same runs, those that touch each other as one."""
    joined: list[tuple[int, int]] = []
    for first, count in runs:
        if joined and sum(joined[-1]) == first:
            joined[-1] = (joined[-1][0], joined[-1][1] + count)
        else:
            joined.append((first, count))
    return joined


class _Stream(io.RawIOBase):
    """First the prefix file, then the pieces; its end is the end of ``pieces``."""

    def __init__(self, prefix: BinaryIO, pieces: Iterator[memoryview]) -> None:
        self._prefix: BinaryIO | None = prefix
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        if self._prefix is not None:
            if count := self._prefix.readinto(room):  # type: ignore[attr-defined]
                return int(count)
            self._prefix = None
        if not self._piece:
            self._piece = next(self._pieces, self._piece)
        count = min(len(room), len(self._piece))
        room[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count
