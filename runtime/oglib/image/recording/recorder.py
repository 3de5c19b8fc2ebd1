# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts a partclone stream into frames, compresses them and takes every digest in one pass.

Bytes come from a stream, or under its bitmap from the partition; they go to a sink, rows to a
frame table. Memory does not grow with the partition: the bitmap and the frame table are files,
and few regions are in flight. Where the stream comes from and who publishes the result is not
known here.
"""

from __future__ import annotations

import queue
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard
from blake3 import blake3

from oglib.cancel import NEVER, Cancel
from oglib.errors import ImageError, WriteError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.frames import (
    Frame,
    FrameTable,
    FrameWriter,
    region_bytes_for,
)
from oglib.image.format.partclone import (
    HEADER_BYTES,
    Header,
)
from oglib.image.format.seekable import seek_table
from oglib.image.ordered import in_order, made_ahead, worker_count
from oglib.image.recording.compressing import LEVEL, Compressor
from oglib.image.recording.estimate import estimated_bytes
from oglib.image.recording.filling import (
    Fill,
    from_source,
    from_stream,
    spool_head,
)
from oglib.image.recording.regions import (
    FrameContent,
    Region,
    has_changed,
    parts_of,
    version_before,
)
from oglib.image.recording.second_opinion import Judge
from oglib.image.recording.sink import ImageSink
from oglib.image.writing.target import Target
from oglib.progress import Phase

_PIECE_BYTES = 1 << 20
# So many regions that the compressors never wait: read for each of them, and read meanwhile.
_AHEAD_EACH = 4
_READ_AHEAD = 4
_AHEAD_BYTES = 64 << 20  # fewer where regions are large


@dataclass(frozen=True, slots=True)
class _Compressed:
    part: FrameContent
    stored: bytes
    stored_blake3: bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """A whole image as it went to the sink; its frame table is a file that the sink gets next."""

    header: Header
    frames_path: Path
    frame_count: int
    size_bytes: int
    blake3: str


def record(
    stream: BinaryIO,
    sink: ImageSink,
    folder: Path,
    *,
    phase: Phase,
    workers: int | None = None,
    source: Target | None = None,
    judge: Judge | None = None,
    cancel: Cancel = NEVER,
) -> Recorded:
    """Read a partclone stream to its end and write it to ``sink`` in frames.

    With ``source``, the partition itself, only the stream's head (header and bitmap) is read,
    and the blocks from there; ``judge`` sees that head before anything else does, and may add to
    it. A region that the version before has with other content is cut into
    small frames: an update fetches those alone that changed. ``folder`` takes the frame table, and
    the bitmap while it is needed. The sink is asked for room first, by a sample of the source.
    Raises ``StreamEnded`` when the stream is shorter than its header says, ``ImageError`` when it
    is wrong.
    """
    try:
        return _record(
            stream, sink, folder, phase, workers=workers, source=source, judge=judge, cancel=cancel
        )
    except OSError as error:
        raise WriteError(
            f"Recording the image failed: {error.strerror}.",
            hint=f"{folder} needs room for the bitmap and the frame table.",
        ) from error


def _record(
    stream: BinaryIO,
    sink: ImageSink,
    folder: Path,
    phase: Phase,
    *,
    workers: int | None,
    source: Target | None,
    judge: Judge | None,
    cancel: Cancel,
) -> Recorded:
    frames_path = folder / "frames"
    recorder = _Recorder(sink)
    with frames_path.open("w+b") as table_file, tempfile.TemporaryFile(dir=folder) as prefix:
        header = spool_head(stream, prefix)
        with Bitmap(prefix, HEADER_BYTES, header.total_blocks) as bitmap:
            bitmap.check(header.used_blocks)
            told = header
            header = judge(prefix, told) if judge else told
            if header != told:
                bitmap.check(header.used_blocks)
            phase.total_bytes = header.used_blocks * header.block_size
            sink.reserve(estimated_bytes(header, bitmap, source.read if source else None))
            table = recorder.take_prefix(header, prefix, table_file)
            fill = from_source(source, header, bitmap) if source else from_stream(stream)
            with version_before(sink.frames_before(folder), header) as before:
                recorder.take_regions(
                    fill, header, bitmap, table, before,
                    advance=phase.advance, workers=workers, cancel=cancel,
                )  # fmt: skip
        if not source and stream.read(1):
            raise ImageError("partclone wrote more blocks than its bitmap has.")
        table.finish()
    recorder.take_seek_table(frames_path)
    return Recorded(header, frames_path, table.count, recorder.size_bytes, recorder.digest)


class _Recorder:
    def __init__(self, sink: ImageSink) -> None:
        self._sink = sink
        self._digest = blake3()
        self.size_bytes = 0

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._sink.write(data)
        self.size_bytes += len(data)

    def take_prefix(self, header: Header, prefix: BinaryIO, table: BinaryIO) -> FrameWriter:
        """Write frame 0, which holds header and bitmap, from the file that has them."""
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj(
            size=header.prefix_bytes
        )
        stored, content = blake3(), blake3()
        prefix.seek(0)
        while piece := prefix.read(_PIECE_BYTES):
            content.update(piece)
            packed = compressor.compress(piece)
            stored.update(packed)
            self._put(packed)
        packed = compressor.flush()
        stored.update(packed)
        self._put(packed)
        writer = FrameWriter(table, region_bytes_for(header.block_size))
        writer.append(
            Frame(0, self.size_bytes, header.prefix_bytes, 0, stored.digest(), content.digest())
        )
        return writer

    def take_regions(
        self,
        fill: Fill,
        header: Header,
        bitmap: Bitmap,
        table: FrameWriter,
        before: Callable[[int], list[Frame]],
        *,
        advance: Callable[[int], None],
        workers: int | None,
        cancel: Cancel,
    ) -> None:
        """Read every used block; one frame for each region that has any, or several.

        ``before`` gives the frames of the version before by their region's first block.
        """
        region_bytes = region_bytes_for(header.block_size)
        compressor = Compressor(region_bytes)
        count = worker_count(workers, 4 * region_bytes)
        each = max(1, min(_AHEAD_EACH, _AHEAD_BYTES // (count * region_bytes)))
        # Reused: fresh memory for every region costs as much as hashing it.
        free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range(each * count + _READ_AHEAD):
            free.put(bytearray(region_bytes))

        per_region = region_bytes // header.block_size

        def regions() -> Iterator[Region]:
            for first in range(0, header.total_blocks, per_region):
                if used := bitmap.used(first, per_region):
                    region = Region(free.get(), used * header.block_size, first, before(first))
                    fill(first, region.content)
                    yield region

        def compress(region: Region) -> tuple[Region, list[_Compressed]]:
            whole = FrameContent(region.first_block, region.content)
            parts = [whole]
            if has_changed(region, whole):
                parts = list(parts_of(region, bitmap, header.block_size, per_region))
            return region, [_compressed(part, compressor) for part in parts]

        with (
            closing(made_ahead(regions())) as ready,
            closing(in_order(compress, ready, count, each)) as results,
        ):
            for region, frames in results:
                cancel.check()
                for done in frames:
                    self._take(done, table)
                free.put(region.buffer)
                advance(region.length)

    def _take(self, done: _Compressed, table: FrameWriter) -> None:
        table.append(
            Frame(
                self.size_bytes,
                len(done.stored),
                len(done.part.content),
                done.part.first_block,
                done.stored_blake3,
                done.part.digest,
            )
        )
        self._put(done.stored)

    def take_seek_table(self, frames_path: Path) -> None:
        """End the image with the seek table that follows from the finished frame table."""
        frames = FrameTable(frames_path)
        try:
            for piece in seek_table(frames):
                self._put(piece)
        finally:
            frames.close()


def _compressed(part: FrameContent, compressor: Compressor) -> _Compressed:
    stored = compressor.compress(part.content)
    return _Compressed(part, stored, blake3(stored).digest())
