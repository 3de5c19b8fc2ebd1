# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the file of an image: what it holds already, what older images hold, what is fetched.

A frame is taken from an older image where its stored bytes are there, wherever they lie; where
only its content is there, under the new bitmap, it is compressed anew, which gives the same stored
bytes unless another version of the library made it. Each is proven by the signed table's digest, so
nothing of an older image is trusted; one that is damaged only costs that more is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from blake3 import blake3

from oglib.cancel import NEVER, Cancel
from oglib.errors import ImageError
from oglib.image.assembling.growing import GrowingFile
from oglib.image.format.frames import Frame, FrameTable
from oglib.image.ordered import in_order, worker_count
from oglib.image.reading.older import Older
from oglib.image.reading.opened import OpenImage
from oglib.image.recording.compressing import Compressor
from oglib.image.writing.pull import Puller
from oglib.progress import Progress

# Threads that wait for the source while one for each processor hashes.
_WAITING = 4
_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Assembled:
    """Stored bytes by where they came from, and what should be known of the older images.

    ``damaged``: the names of those that hold what they should not.
    """

    kept_bytes: int
    copied_bytes: int
    fetched_bytes: int
    damaged: tuple[str, ...] = ()


def assemble(
    image: OpenImage,
    path: Path,
    older: Sequence[OpenImage] = (),
    *,
    progress: Progress,
    cancel: Cancel = NEVER,
    workers: int | None = None,
) -> Assembled:
    """Make ``path`` the file of ``image``, whose bytes come from ``older`` and from its source.

    What an earlier run left there is taken up. ``OSError`` where the disk of ``path`` is full or
    fails. The file is whole afterwards, not yet lasting.
    """
    with GrowingFile(path, image) as file:
        with progress.phase("look for what is there", image.manifest.image_size_bytes) as phase:
            kept = file.keep_what_is_right(phase.advance, cancel)
        count = worker_count(workers, 4 * image.frames.region_bytes)
        work = _Copying(image, file, cancel, count)
        for one in older:
            work.take_from(one, progress)
        left = sum(image.frames[index].stored_len for index in file.missing())
        with progress.phase("fetch", left) as phase:
            taker = _Counting(file, phase.advance)
            puller = Puller(image, taker, file.missing(), count + _WAITING, cancel)
            puller.run()
        file.finish()
    return Assembled(kept, work.copied_bytes, puller.fetched_bytes, tuple(work.damaged))


def to_fetch(image: OpenImage, older: Sequence[FrameTable]) -> int:
    """The stored bytes that no older image has as they are: ``assemble`` fetches at most these."""
    left = 0
    for wanted in _by_digest(image, iter(range(len(image.frames)))):
        for table in older:
            for frame in table:
                wanted.pop(frame.stored_blake3, None)
        left += sum(image.frames[index].stored_len for rows in wanted.values() for index in rows)
    return left


class _Counting:
    """Hands frames on, and tells how many bytes they had."""

    def __init__(self, file: GrowingFile, advance: Callable[[int], None]) -> None:
        self._file = file
        self._advance = advance

    def accept_all(self, first: int, stored: Sequence[bytes | memoryview]) -> None:
        self._file.accept_all(first, stored)
        self._advance(sum(map(len, stored)))


class _Copying:
    """Takes what older images have; ``damaged``: the names of those that are not as they were."""

    def __init__(self, image: OpenImage, file: GrowingFile, cancel: Cancel, workers: int) -> None:
        self._image = image
        self._file = file
        self._cancel = cancel
        self._workers = workers
        self._compressor = Compressor(image.frames.region_bytes)
        self._lock = threading.Lock()
        self.copied_bytes = 0
        self.damaged: list[str] = []

    def take_from(self, older: OpenImage, progress: Progress) -> None:
        """What ``older`` has of the frames that are missing: stored as they are, or by content."""
        total = sum(self._image.frames[index].stored_len for index in self._file.missing())
        with progress.phase(f"take from {older.title}", total) as phase:
            for length in self._as_stored(older):
                phase.advance(length)
            work = _ByContent(self._image, older, self._compressor, self._note)
            indexes = (index for index in self._file.missing() if index)
            with closing(in_order(work.stored, indexes, self._workers)) as results:
                for index, stored in results:
                    self._cancel.check()
                    if stored is not None:
                        self._accept(index, stored)
                        phase.advance(len(stored))

    def _as_stored(self, older: OpenImage) -> Iterator[int]:
        """Copy the frames whose stored bytes ``older`` has; the bytes of each."""
        for wanted in _by_digest(self._image, self._file.missing()):
            for frame in older.frames:
                for index in wanted.pop(frame.stored_blake3, ()):
                    self._cancel.check()
                    stored = self._read(older, frame)
                    if stored is None:
                        break
                    self._accept(index, stored)
                    yield len(stored)

    def _read(self, older: OpenImage, frame: Frame) -> bytes | None:
        """The stored bytes of a frame, None where they are not what they were."""
        try:
            stored = older.source.read(frame.offset, frame.stored_len)
        except ImageError:
            stored = b""
        if blake3(stored).digest() == frame.stored_blake3:
            return stored
        self._note(older)
        return None

    def _accept(self, index: int, stored: bytes) -> None:
        self._file.accept(index, stored)
        self.copied_bytes += len(stored)

    def _note(self, older: OpenImage) -> None:
        with self._lock:
            if older.name not in self.damaged:
                self.damaged.append(older.name)


class _ByContent:
    """The stored bytes of frames whose content an older image has, compressed anew."""

    def __init__(
        self,
        image: OpenImage,
        older: OpenImage,
        compressor: Compressor,
        note: Callable[[OpenImage], None],
    ) -> None:
        self._image = image
        self._from = older
        self._older = Older(older, image)
        self._compressor = compressor
        self._note = note

    def stored(self, index: int) -> tuple[int, bytes | None]:
        """None: it does not have it, or it is stored otherwise."""
        try:
            content = self._older.content(index)
        except ImageError:
            self._note(self._from)
            return index, None
        if content is None:
            return index, None
        stored = self._compressor.compress(content)
        same = blake3(stored).digest() == self._image.frames[index].stored_blake3
        return index, stored if same else None


def _by_digest(image: OpenImage, indexes: Iterator[int]) -> Iterator[dict[bytes, list[int]]]:
    """Which of these frames have which stored bytes; not all at once, for there may be many."""
    while batch := list(islice(indexes, _BATCH_ROWS)):
        found: dict[bytes, list[int]] = {}
        for index in batch:
            found.setdefault(image.frames[index].stored_blake3, []).append(index)
        yield found
