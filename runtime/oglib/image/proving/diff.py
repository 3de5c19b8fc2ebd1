# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update from one image to another would move, without any disk.

A delta restore hashes what the target holds under the new image's bitmap and fetches the frames
that differ. A target restored from the old image holds the old image's used blocks; of its other
blocks nothing is known, so a block that only the new one uses counts as moved. Nothing is
written, and most of either image is never read (``reading.older``).
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, dataclass

from oglib.image.any import report, supply_of
from oglib.image.ordered import in_order, worker_count
from oglib.image.reading.older import Older
from oglib.image.reading.opened import OpenImage
from oglib.image.writing.guard import GUARD_BYTES
from oglib.progress import Progress

_STEP_BLOCKS = 1 << 20


@dataclass(frozen=True, slots=True)
class Difference:
    """An update from ``old`` to ``new``. ``moved_bytes`` are stored bytes of frames, those of
    the guard included, which a delta always fetches; ``*_used_bytes`` are blocks that only one
    of the two uses; ``read_bytes`` is what had to be read of ``old`` to know."""

    old: str
    old_version: int
    new: str
    new_version: int
    frames: int
    changed_frames: int
    moved_bytes: int
    image_size_bytes: int
    changed_content_bytes: int
    added_used_bytes: int
    removed_used_bytes: int
    read_bytes: int
    seconds: float
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {**asdict(self), "warnings": list(self.warnings)}


def compare_images(
    old: OpenImage, new: OpenImage, *, progress: Progress, workers: int | None = None
) -> Difference:
    """Compare every frame of ``new`` with what a target restored from ``old`` holds.

    Both may be local or read by ranges. Raises ``ImageError`` where a frame that has to be read
    is damaged.
    """
    started = time.monotonic()
    for one in (old, new):
        report(supply_of(one), progress)
    frames, block = new.frames, new.header.block_size
    room = 4 * max(old.frames.region_bytes, frames.region_bytes)
    older = Older(old, new)
    indexes = range(1, len(frames))
    changed = moved = changed_content = 0
    with (
        progress.phase("compare", new.header.used_blocks * block) as phase,
        closing(in_order(older.has, indexes, worker_count(workers, room))) as results,
    ):
        for index, same in zip(indexes, results, strict=True):
            frame = frames[index]
            phase.advance(frame.content_len)
            if not same:
                changed += 1
                changed_content += frame.content_len
            if not same or frame.first_block * block < GUARD_BYTES:
                moved += frame.stored_len
    added, removed = _used_by_one(old, new)
    return Difference(
        old=old.manifest.name,
        old_version=old.manifest.version,
        new=new.manifest.name,
        new_version=new.manifest.version,
        frames=len(frames),
        changed_frames=changed,
        moved_bytes=moved,
        image_size_bytes=new.manifest.image_size_bytes,
        changed_content_bytes=changed_content,
        added_used_bytes=added,
        removed_used_bytes=removed,
        read_bytes=older.read_bytes,
        seconds=round(time.monotonic() - started, 3),
        warnings=(*old.warnings, *new.warnings),
    )


def _used_by_one(old: OpenImage, new: OpenImage) -> tuple[int, int]:
    """Bytes of blocks that only ``new``, and that only ``old`` uses."""
    sizes = old.header.block_size, new.header.block_size
    if sizes[0] != sizes[1]:
        return new.header.used_blocks * sizes[1], old.header.used_blocks * sizes[0]
    added = removed = 0
    for first in range(0, max(old.header.total_blocks, new.header.total_blocks), _STEP_BLOCKS):
        before, after = (image.bitmap.bits(first, _STEP_BLOCKS) for image in (old, new))
        added += (after & ~before).bit_count()
        removed += (before & ~after).bit_count()
    return added * sizes[1], removed * sizes[0]
