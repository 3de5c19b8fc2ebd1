# SPDX-License-Identifier: GPL-3.0-or-later
"""A region that is recorded: its content, and how it is cut where it has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from blake3 import blake3

from oglib.errors import ImageError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.frames import (
    PARTS_OF_REGION,
    Frame,
    FrameTable,
    part_blocks,
    region_bytes_for,
)
from oglib.image.format.partclone import Header


@dataclass(frozen=True, slots=True)
class Region:
    """The used blocks of one region; ``before``: its frames in the version before."""

    buffer: bytearray
    length: int
    first_block: int
    before: list[Frame]

    @property
    def content(self) -> memoryview:
        return memoryview(self.buffer)[: self.length]


class FrameContent:
    """What becomes one frame."""

    def __init__(self, first_block: int, content: memoryview) -> None:
        self.first_block = first_block
        self.content = content
        self.digest = blake3(content).digest()


@contextmanager
def version_before(path: Path | None, header: Header) -> Iterator[Callable[[int], list[Frame]]]:
    """Its frames, by the first block of their region; asked for in ascending order.

    It only says where to cut, so a table that is damaged or of other regions is as good as none.
    """
    region_bytes = region_bytes_for(header.block_size)
    table: FrameTable | None = None
    if path is not None:
        with suppress(ImageError, OSError):
            table = FrameTable(path)
    known = table is not None and table.region_bytes == region_bytes
    rows = islice(table, 1, None) if table is not None and known else iter(())
    waiting = next(rows, None)

    def frames_of(first_block: int) -> list[Frame]:
        nonlocal waiting
        found: list[Frame] = []
        end = first_block + region_bytes // header.block_size
        while waiting is not None and waiting.first_block < end:
            if waiting.first_block >= first_block and len(found) < PARTS_OF_REGION:
                found.append(waiting)
            waiting = next(rows, None)
        return found

    try:
        yield frames_of
    finally:
        if table is not None:
            table.close()


def has_changed(region: Region, whole: FrameContent) -> bool:
    """Whether some of the region was there before and is now another.

    What is new altogether has to be fetched altogether, so it stays one frame.
    """
    if len(region.before) == 1:
        return region.before[0].content_blake3 != whole.digest
    at = 0
    for frame in region.before:
        part = region.content[at : at + frame.content_len]
        if blake3(part).digest() != frame.content_blake3:
            return True
        at += frame.content_len
    return bool(region.before) and at != region.length


def parts_of(
    region: Region, bitmap: Bitmap, block_bytes: int, per_region: int
) -> Iterator[FrameContent]:
    """Every part of the region that has used blocks."""
    at, step = 0, part_blocks(per_region)
    for first in range(region.first_block, region.first_block + per_region, step):
        length = bitmap.used(first, step) * block_bytes
        if length:
            yield FrameContent(first, region.content[at : at + length])
            at += length
