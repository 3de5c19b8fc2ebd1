# SPDX-License-Identifier: GPL-3.0-or-later
"""What an older image holds of a newer one: the content of its frames under the newer's bitmap.

Where a region has the same used blocks in both, their digests are of the same bytes and say it
all; where blocks were freed, or the region is cut otherwise, the old frames are read and hashed
under the new bitmap. The digests of two versions are never compared across bitmaps.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from blake3 import blake3

from oglib.image.reading.decode import Decoder, stored_frame
from oglib.image.reading.opened import OpenImage


class Older:
    """Asks ``old`` for one frame of ``new`` at a time; for any number of threads.

    ``ImageError`` where a frame of ``old`` that has to be read is damaged. ``read_bytes``: what
    was read of it.
    """

    def __init__(self, old: OpenImage, new: OpenImage) -> None:
        self._old = old
        self._new = new
        self._comparable = old.header.block_size == new.header.block_size
        self._local = threading.local()
        self._lock = threading.Lock()
        self.read_bytes = 0

    def has(self, index: int) -> bool:
        """Whether a target restored from ``old`` holds the content of this frame of ``new``."""
        row = self._same_blocks(index)
        if row is not None:
            return self._old.frames[row].content_blake3 == self._new.frames[index].content_blake3
        return self._hashed(index) is not None

    def content(self, index: int) -> bytes | None:
        """The content of this frame of ``new``, proven by its digest; None: ``old`` has it not."""
        row = self._same_blocks(index)
        if row is None:
            pieces = self._hashed(index)
            return None if pieces is None else b"".join(pieces)
        if self._old.frames[row].content_blake3 != self._new.frames[index].content_blake3:
            return None
        return bytes(self._decoded(row))

    def _same_blocks(self, index: int) -> int | None:
        """The frame of ``old`` that stands for the same blocks, used and unused ones alike."""
        if not self._comparable:
            return None
        first, span = self._new.blocks(index)
        wanted = self._new.bitmap.bits(first, span)
        if wanted != self._old.bitmap.bits(first, span):
            return None
        row = self._old.frames.row_of(first + (wanted & -wanted).bit_length() - 1)
        return row if self._old.blocks(row) == (first, span) else None

    def _hashed(self, index: int) -> list[bytes] | None:
        """The pieces of the content where they have the digest that they must have."""
        first, span = self._new.blocks(index)
        if not self._comparable:
            return None
        if self._new.bitmap.bits(first, span) & ~self._old.bitmap.bits(first, span):
            return None
        pieces, hasher = [], blake3()
        for block, count in self._new.bitmap.runs(first, span):
            for piece in self._old_content(block, count):
                hasher.update(piece)
                pieces.append(bytes(piece))
        return pieces if hasher.digest() == self._new.frames[index].content_blake3 else None

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
