# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update from one image to another would move, without any disk.

A delta restore hashes what the target holds under the new image's bitmap and fetches the frames
that differ. A target restored from the old image holds the old image's used blocks; of its other
blocks nothing is known, so a block that only the new one uses counts as moved. Where a region
has the same used blocks in both images, their digests are of the same bytes and say it all;
where blocks were freed, the old frame is read and hashed under the new bitmap. Nothing is
written, and most of either image is never read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass

from blake3 import blake3

from oglib.image.any import report
from oglib.image.ordered import in_order, worker_count
from oglib.image.reading.decode import Decoder, stored_frame
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
    report(old, progress)
    report(new, progress)
    frames, block = new.frames, new.header.block_size
    room = 4 * max(old.frames.region_bytes, frames.region_bytes)
    comparison = _Comparison(old, new)
    indexes = range(1, len(frames))
    changed = moved = changed_content = 0
    with (
        progress.phase("compare", new.header.used_blocks * block) as phase,
        closing(in_order(comparison.same, indexes, worker_count(workers, room))) as results,
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
        read_bytes=comparison.read_bytes,
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


class _Comparison:
    """Compares one frame of ``new`` with ``old``; for any number of threads."""

    def __init__(self, old: OpenImage, new: OpenImage) -> None:
        self._old = old
        self._new = new
        self._comparable = old.header.block_size == new.header.block_size
        self._local = threading.local()
        self._lock = threading.Lock()
        self.read_bytes = 0

    def same(self, index: int) -> bool:
        """Whether a target restored from ``old`` holds the content of this frame of ``new``."""
        if not self._comparable:
            return False
        frame, (first, span) = self._new.frames[index], self._new.blocks(index)
        wanted = self._new.bitmap.bits(first, span)
        there = self._old.bitmap.bits(first, span)
        if wanted & ~there:
            return False
        if wanted == there:
            row = self._old.frames.row_of(first + (wanted & -wanted).bit_length() - 1)
            if self._old.blocks(row) == (first, span):
                return self._old.frames[row].content_blake3 == frame.content_blake3
        hasher = blake3()
        for block, count in self._new.bitmap.runs(first, span):
            for piece in self._old_content(block, count):
                hasher.update(piece)
        return hasher.digest() == frame.content_blake3

    def _old_content(self, first: int, count: int) -> Iterator[memoryview]:
        """The old content of ``count`` blocks from ``first``, all of them used in ``old``."""
        block = self._old.header.block_size
        end = first + count
        while first < end:
            row = self._old.frames.row_of(first)
            start, span = self._old.blocks(row)
            stop = min(end, start + span)
            content = self._decoded(row)
            skipped = self._old.bitmap.used(start, first - start) * block
            yield content[skipped : skipped + (stop - first) * block]
            first = stop

    def _decoded(self, index: int) -> memoryview:
        """The content of an old frame; kept for the next call, since runs follow each other."""
        kept: tuple[int, memoryview] | None = getattr(self._local, "kept", None)
        if kept is not None and kept[0] == index:
            return kept[1]
        decoder: Decoder | None = getattr(self._local, "decoder", None)
        if decoder is None:
            decoder = self._local.decoder = Decoder(self._old.frames.region_bytes)
        name = self._old.manifest.name
        frame = self._old.frames[index]
        stored = stored_frame(self._old.source, index, frame, name)
        with self._lock:
            self.read_bytes += len(stored)
        self._local.kept = None  # its buffer is about to be overwritten
        content = decoder.decode(index, frame, stored, name)
        Decoder.check_content(index, frame, content, name)
        self._local.kept = (index, content)
        return content
