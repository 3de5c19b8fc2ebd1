# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring an image to a target: the order of things, from the first check to the receipt.

Everything that can be refused is refused before the first write. A restore that fails, or is
interrupted, leaves the target unbootable and a map of what is done; the same call again goes
on from there. Bytes and threads are ``frame_writer``'s and ``pull``'s business.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from blake3 import blake3

from oglib.cancel import NEVER, Cancel
from oglib.errors import TransferError
from oglib.image.any import Image, either, report, supply_of
from oglib.image.heap import keep_freed_memory
from oglib.image.ordered import in_order, reader_count, worker_count
from oglib.image.proving.verify import holds_frame
from oglib.image.reading.decode import stored_frame
from oglib.image.reading.opened import OpenImage
from oglib.image.writing.done_map import RUN_FOLDER, DoneMap, map_key, map_path
from oglib.image.writing.feeder import Feeding
from oglib.image.writing.frame_writer import Writer
from oglib.image.writing.pull import Puller
from oglib.image.writing.readback import ReadBack, TargetHasher
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore_stream import restore_stream
from oglib.image.writing.target import Target, check_capacity, open_target
from oglib.progress import Progress
from oglib.wording.spoken import name_of

_SAMPLE_FRAMES = 8
# Threads that wait for the source or the disk while one for each processor decompresses.
_WAITING = 4


def restore(
    image: Image,
    target: Path,
    *,
    progress: Progress,
    verify: bool = True,
    workers: int | None = None,
    delta: bool = False,
    maps: Path = RUN_FOLDER,
    cancel: Cancel = NEVER,
    pushed: Feeding | None = None,
) -> Receipt:
    """Write ``image`` to ``target`` (block device or regular file of at least its size).

    ``verify`` reads every byte back past the page cache; without it the receipt says
    ``not proven``. ``delta`` first compares the target and leaves equal regions alone. After an
    interruption the same call goes on: by the map of the earlier run, or, where that is gone
    or the image is a foreign one, by comparing the target. ``cancel`` ends it as an interruption
    does. ``pushed`` feeds frames of an image of ours that are sent; what it does not bring is
    pulled from the image's own source.
    """
    started = time.monotonic()
    keep_freed_memory()
    with open_target(target, write=True) as opened:
        report(supply := supply_of(image), progress)
        receipt = either(
            image,
            ours=lambda own: _restored(
                own, opened, progress, verify=verify, workers=workers, delta=delta,
                map_file=map_path(opened, maps), started=started, cancel=cancel, pushed=pushed,
            ),
            foreign=lambda stream: restore_stream(
                stream, opened, progress=progress, verify=verify, workers=workers, delta=delta,
                cancel=cancel,
            ),
        )  # fmt: skip
    if supply is None:
        return receipt
    warnings = (*receipt.warnings, *supply.said)
    return replace(receipt, warnings=warnings, came_from=supply.came_from)


def _restored(
    image: OpenImage, target: Target, progress: Progress, *, verify: bool, workers: int | None,
    delta: bool, map_file: Path, started: float, cancel: Cancel,
    pushed: Feeding | None,
) -> Receipt:  # fmt: skip
    count = worker_count(workers, 4 * image.frames.region_bytes)
    check_capacity(target, image.required_bytes, image.sector_size, image.name)
    key = map_key(target, image.manifest.image_blake3)
    with DoneMap(map_file, key, len(image.frames)) as done:
        receipt = _Restore(image, target, done, progress, verify, count, cancel, pushed).run(
            delta, started
        )
        done.remove()
        return receipt


@dataclass(frozen=True, slots=True)
class _Restore:
    image: OpenImage
    target: Target
    done: DoneMap
    progress: Progress
    verify: bool
    workers: int
    cancel: Cancel
    pushed: Feeding | None

    def run(self, delta: bool, started: float) -> Receipt:
        image, frames, done = self.image, self.image.frames, self.done
        writer = Writer(image, self.target, done, verify=self.verify)
        # Asked for first and kept: a source that is dead or damaged here destroys nothing.
        for index in sorted(writer.guard_frames):
            writer.accept(index, stored_frame(image.source, index, frames[index], image.name))
        marked = array("I", done)
        equal, skipped = self._equal(self._candidates(writer, marked, delta), writer.guard_frames)
        self.cancel.check()  # the target is still as it was
        with self.progress.phase("restore", self._content_bytes) as phase:
            writer.begin(phase.advance)
            try:
                done.reset()
                done.mark(equal)
                phase.skip(skipped)
                fetched, said = self._feed(writer)
                writer.finish()
            except BaseException as error:
                writer.settle_after(error)
                raise
        guard = sum(frames[index].stored_len for index in writer.guard_frames)
        return Receipt(
            image=image.manifest.name,
            version=image.manifest.version,
            signed_by=image.signed_by,
            image_blake3=image.manifest.image_blake3,
            frames_blake3=image.manifest.frames_blake3,
            source=image.source.describe(),
            target=name_of(self.target.path),
            target_size_bytes=self.target.size_bytes,
            frames=len(frames),
            fetched_bytes=guard + fetched,
            written_bytes=writer.written_bytes,
            skipped_bytes=skipped,
            skipped_frames=len(equal),
            resumed=bool(marked),
            seconds=round(time.monotonic() - started, 3),
            verified="read-back" if self.verify else "not proven",
            warnings=(*image.warnings, *said),
        )

    def _feed(self, writer: Writer) -> tuple[int, tuple[str, ...]]:
        """Bring every frame that is missing, the pushed ones first.

        The stored bytes that came, and what is to be said: a sender that fails ends nothing.
        """
        fetched, said = 0, list[str]()
        if self.pushed is not None:
            first = self.pushed(writer)
            try:
                first.run()
            except TransferError as error:
                said.append(f"What was sent ended early, and the rest was fetched: {error.message}")
            except BaseException:
                first.stop()
                raise
            fetched = first.fetched_bytes
        puller = Puller(self.image, writer, writer.missing(), self.workers + _WAITING, self.cancel)
        puller.run()
        return fetched + puller.fetched_bytes, tuple(said)

    def _outside(self, writer: Writer) -> Iterator[int]:
        """Every frame but frame 0 and those of the guard."""
        for index in range(1, len(self.image.frames)):
            if index not in writer.guard_frames:
                yield index

    def _candidates(self, writer: Writer, marked: array[int], delta: bool) -> array[int]:
        """The frames that the target may hold already.

        A mark is a hint, not a proof: between two runs somebody may have discarded or
        overwritten the target, so what was marked is hashed again before it is skipped.
        """
        if marked and not delta:
            return marked
        everything = array("I", self._outside(writer))
        if delta or (writer.guard_is_zero() and self._looks_begun(everything)):
            return everything
        return array("I")

    def _looks_begun(self, indexes: array[int]) -> bool:
        """Whether a target without a map holds some of this image: an earlier run was cut off.

        Zeros prove nothing (a blank disk holds them), so frames of zeros are passed over.
        """
        tried, frames = 0, self.image.frames
        with ReadBack(self.target, frames.region_bytes) as reader:
            for index in indexes:
                frame = frames[index]
                if frame.content_blake3 == _digest_of_zeros(frame.content_len):
                    continue
                if reader.holds(self.image.runs(index), frame.content_blake3):
                    return True
                tried += 1
                if tried == _SAMPLE_FRAMES:
                    break
        return False

    @property
    def _content_bytes(self) -> int:
        """Of all frames but frame 0: the used blocks, as the table was proven to say."""
        return self.image.header.used_blocks * self.image.header.block_size

    def _equal(self, indexes: array[int], guard: frozenset[int]) -> tuple[array[int], int]:
        """Those of ``indexes`` whose content the target holds, and the bytes of that content.

        It is hashed under the bitmap.
        """
        equal, content_bytes = array("I"), 0
        if not indexes:
            return equal, content_bytes
        frames = self.image.frames
        readers = reader_count(self.workers, frames.region_bytes)
        with (
            self.progress.phase("compare", self._content_of(indexes, guard)) as phase,
            TargetHasher(self.target, frames.region_bytes) as hasher,
            closing(in_order(holds_frame(self.image, hasher), indexes, readers)) as results,
        ):
            for index, same in zip(indexes, results, strict=True):
                self.cancel.check()
                phase.advance(frames[index].content_len)
                if same:
                    equal.append(index)
                    content_bytes += frames[index].content_len
        return equal, content_bytes

    def _content_of(self, indexes: array[int], guard: frozenset[int]) -> int:
        """The content of these frames: those that a map has, or all outside the guard."""
        frames = self.image.frames
        if len(indexes) == len(frames) - 1 - len(guard):
            return self._content_bytes - sum(frames[index].content_len for index in guard)
        return sum(frames[index].content_len for index in indexes)


@lru_cache(maxsize=2)
def _digest_of_zeros(length: int) -> bytes:
    return blake3(bytes(length)).digest()
