# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame table (``NAME.img.frames``): where each frame is, and the digests of its bytes.

Written row by row while capturing, read by mmap, one row at a time. A table is not believed:
``validate`` compares it with the bitmap before anything else uses it. Little-endian:

    magic[16] | u32 row bytes | u32 region bytes | u64 rows
    row: u64 offset | u32 stored bytes | u32 content bytes | u64 first block
         | blake3 of the stored bytes | blake3 of the content

Frame 0 holds partclone's header, bitmap and bitmap CRC. Every other frame holds the used
blocks of one aligned region or, where the region has changed since the version before, of one of
its eighths: up to the next frame's first block, or to the region's end. What has no used blocks
has no frame.
"""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from oglib.errors import ImageError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.partclone import MAX_BLOCK_BYTES, Header

MAGIC = b"OGLIVE-FRAMES\0\0\1"
DIGEST_BYTES = 32
REGION_BYTES = 1 << 20
PARTS_OF_REGION = 8
_HEAD = struct.Struct("<16sIIQ")
_ROW = struct.Struct("<QIIQ32s32s")
_STEP_ROWS = 1 << 14
_READ_BYTES = 4 << 20


class Frame(NamedTuple):
    """One row: ``first_block`` is where its region or part starts (0 for frame 0)."""

    offset: int
    stored_len: int
    content_len: int
    first_block: int
    stored_blake3: bytes
    content_blake3: bytes


def region_bytes_for(block_size: int) -> int:
    """A region is 1 MiB, or one block where blocks are larger."""
    return max(REGION_BYTES, block_size)


def part_blocks(per_region: int) -> int:
    """How many blocks a part of a region has, where a region has ``per_region``."""
    return max(1, per_region // PARTS_OF_REGION)


def max_stored_bytes(content_len: int) -> int:
    """zstd's own bound for incompressible content, plus frame header and checksum."""
    return content_len + (content_len >> 8) + (64 << 10)


def table_bytes(rows: int) -> int:
    """The size of a table's file with so many rows."""
    return _HEAD.size + rows * _ROW.size


def digest_of_file(path: Path) -> tuple[bytes, int]:
    """BLAKE3 and size of a file, read in pieces, hashed on every processor."""
    hasher, size = blake3(max_threads=blake3.AUTO), 0
    room = memoryview(bytearray(_READ_BYTES))  # fresh memory for every piece costs as much again
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(room):
            hasher.update(room[:count])
            size += count
    return hasher.digest(), size


def _span(first_block: int, upcoming: int | None, per_region: int) -> int:
    end = first_block - first_block % per_region + per_region
    return (end if upcoming is None else min(end, upcoming)) - first_block


def _with_next(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Frame | None]]:
    """Each frame with the one after it."""
    last: Frame | None = None
    for frame in frames:
        if last is not None:
            yield last, frame
        last = frame
    if last is not None:
        yield last, None


class FrameWriter:
    """Appends rows to a new table; the number of rows is filled in by ``finish``."""

    def __init__(self, file: BinaryIO, region_bytes: int) -> None:
        self._file = file
        self._region_bytes = region_bytes
        self.count = 0
        self._put_head()

    def _put_head(self) -> None:
        self._file.seek(0)
        self._file.write(_HEAD.pack(MAGIC, _ROW.size, self._region_bytes, self.count))

    def append(self, frame: Frame) -> None:
        self._file.write(_ROW.pack(*frame))
        self.count += 1

    def finish(self) -> None:
        self._put_head()
        self._file.flush()


class FrameTable:
    """A table file, mapped read-only. Indexing gives a ``Frame``."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _HEAD.size + _ROW.size:
                raise ImageError(f"The frame table {path.name} is cut off after {size} bytes.")
            self._map = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
        magic, row_bytes, region_bytes, count = _HEAD.unpack_from(self._map)
        self.region_bytes: int = region_bytes
        self.count: int = count
        problem = ""
        if magic != MAGIC:
            problem = "is not one: its first bytes say something else"
        elif row_bytes != _ROW.size:
            problem = f"has rows of {row_bytes} bytes, not {_ROW.size}"
        elif size != _HEAD.size + self.count * _ROW.size:
            problem = f"has {size} bytes, which do not hold its {self.count} rows"
        if problem:
            self._map.close()
            raise ImageError(f"The frame table {path.name} {problem}.")

    def close(self) -> None:
        self._map.close()

    @property
    def size_bytes(self) -> int:
        """The size of the table's file."""
        return len(self._map)

    def write_to(self, path: Path) -> None:
        """A copy of the table's file."""
        with path.open("wb") as file:
            file.write(self._map)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return Frame._make(_ROW.unpack_from(self._map, _HEAD.size + index * _ROW.size))

    def __iter__(self) -> Iterator[Frame]:
        for start in range(0, self.count, _STEP_ROWS):
            stop = min(start + _STEP_ROWS, self.count)
            rows = self._map[_HEAD.size + start * _ROW.size : _HEAD.size + stop * _ROW.size]
            yield from map(Frame._make, _ROW.iter_unpack(rows))
            # Rows already seen must not count as this process's memory.
            self._map.madvise(mmap.MADV_DONTNEED)

    def span(self, index: int, per_region: int) -> int:
        """How many blocks, used or not, frame ``index`` (not 0) stands for."""
        upcoming = self[index + 1].first_block if index + 1 < self.count else None
        return _span(self[index].first_block, upcoming, per_region)

    def row_of(self, block: int) -> int:
        """The index of the frame that holds ``block``, which is used."""
        rows = range(1, self.count)
        after = bisect_right(rows, block, key=lambda row: self[row].first_block)
        return rows[after - 1]

    def check_first(self, content_len: int) -> Frame:
        """Frame 0, which must hold ``content_len`` bytes; judged before anything is fetched."""
        first = self[0]
        if first.content_len != content_len:
            raise ImageError("Frame 0 is not as long as the partclone header and bitmap.")
        if first.offset != 0 or first.first_block != 0:
            raise ImageError("The frame table does not start at the image's first byte.")
        if not 0 < first.stored_len <= max_stored_bytes(first.content_len):
            raise ImageError(f"Frame 0 claims {first.stored_len} stored bytes.")
        return first

    def validate(self, header: Header, bitmap: Bitmap) -> int:
        """Compare every row with header and bitmap; return where the last frame ends.

        Raises ``ImageError`` when offsets do not follow each other, a region or part is not aligned
        or out of order, or a length is not what its used blocks take.
        """
        block_size = header.block_size
        if self.region_bytes % block_size or not 0 < self.region_bytes <= MAX_BLOCK_BYTES:
            raise ImageError(f"The frame table has regions of {self.region_bytes} bytes.")
        per_region = self.region_bytes // block_size
        end = used = 0
        for index, (frame, upcoming) in enumerate(_with_next(self)):
            if frame.offset != end:
                raise ImageError(f"Frame {index} does not start where the one before it ends.")
            if not 0 < frame.stored_len <= max_stored_bytes(frame.content_len):
                raise ImageError(f"Frame {index} claims {frame.stored_len} stored bytes.")
            end += frame.stored_len
            if index == 0:
                continue
            following = upcoming.first_block if upcoming else None
            in_order = following is None or following > frame.first_block
            if not in_order or frame.first_block % part_blocks(per_region):
                raise ImageError(f"Frame {index} has its region out of order.")
            span = _span(frame.first_block, following, per_region)
            count = bitmap.used(frame.first_block, span)
            if not count or frame.content_len != count * block_size:
                raise ImageError(
                    f"Frame {index} claims {frame.content_len} bytes for {count} used blocks."
                )
            used += count
        if used != header.used_blocks:
            raise ImageError(
                f"The frames hold {used} used blocks, the image has {header.used_blocks}."
            )
        return end
