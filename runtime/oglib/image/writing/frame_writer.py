# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer's front end for our own format: stored frames in any order, from any thread.

Checks and decompresses; ``region_writer`` does the writing. Order of a restore: ``begin``,
``accept`` for every frame, ``finish``; after a failure ``settle``. Where frames come from is
not its business: pulled or pushed, from one source or several.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from oglib.errors import ImageError
from oglib.image.format.frames import Frame
from oglib.image.reading.decode import Decoder, check_stored
from oglib.image.reading.opened import OpenImage
from oglib.image.writing.done_map import DoneMap
from oglib.image.writing.prover import Piece
from oglib.image.writing.region_writer import Held, RegionWriter
from oglib.image.writing.shape import shape_of
from oglib.image.writing.target import Target


class _Stored(NamedTuple):
    number: int
    frame: Frame
    data: bytes | memoryview


class Writer:
    """One restore of one image to one target. ``verify`` reads everything back."""

    def __init__(
        self,
        image: OpenImage,
        target: Target,
        done: DoneMap,
        *,
        verify: bool,
    ) -> None:
        self._image = image
        self._name = image.manifest.name
        self._done = done
        self._writer = RegionWriter(shape_of(image), target, verify=verify, mark=done.mark)
        self.guard_frames = frozenset(self._find_guard_frames())
        self._held: dict[int, bytes] = {}
        self._local = threading.local()
        self._lock = threading.Lock()
        self._claimed = bytearray(len(image.frames))

    def _find_guard_frames(self) -> list[int]:
        """The frames whose regions touch the guard: at the start, and maybe at the very end."""
        frames, block_size = self._image.frames, self._image.header.block_size

        def held_back(index: int) -> bool:
            first_byte = frames[index].first_block * block_size
            return self._writer.holds_back(first_byte // frames.region_bytes)

        every = range(1, len(frames))
        return [*takewhile(held_back, every), *takewhile(held_back, reversed(every))]

    @property
    def written_bytes(self) -> int:
        """Content that was written."""
        return self._writer.written_bytes

    @property
    def room_bytes(self) -> int:
        """What the longest read of the target takes."""
        return self._writer.room_bytes

    def begin(self, on_written: Callable[[int], None]) -> None:
        """Make the target unbootable: from here on it is ours, and incomplete.

        ``on_written`` is told the content bytes of every frame that was written.
        """
        self._writer.begin(on_written)

    def guard_is_zero(self) -> bool:
        """Whether the target is as ``begin`` leaves it: nobody else has used it since."""
        return self._writer.guard_is_zero()

    def accept(self, index: int, stored: bytes | memoryview) -> None:
        """Check frame ``index`` and write it; returns when it is written, not yet lasting.

        A frame that is done or under way is ignored, so several sources may offer the same
        one. Frames of the guard may come before ``begin`` and are held until ``finish``.
        """
        self.accept_all(index, [stored])

    def accept_all(self, first: int, stored: Sequence[bytes | memoryview]) -> None:
        """``accept`` for frames that follow each other from ``first``.

        A disk is given several in one request.
        """
        group: list[_Stored] = []
        for index, data in enumerate(stored, first):
            frame = self._image.frames[index]
            check_stored(index, frame, data, self._name)
            if index in self.guard_frames:
                with self._lock:
                    self._held[index] = bytes(data)
                continue
            length = frame.content_len + sum(each.frame.content_len for each in group)
            if group and length > self._writer.together_bytes:
                self._write(group)
                group = []
            group.append(_Stored(index, frame, data))
        if group:
            self._write(group)

    def _write(self, group: Sequence[_Stored]) -> None:
        with self._writer.writing():
            decoder, pieces, at = self._decoder(), [], 0
            for index, frame, data in group:
                if not self._claim(index):
                    continue
                # What is decompressed from proven bytes has zstd's own checksum; the content's
                # digest is for the medium, and compared when it is read back.
                at += len(decoder.decode(index, frame, data, self._name, at))
                pieces.append(self._piece(index))
            if pieces:
                self._writer.place(pieces, [decoder.together(at)])

    def _piece(self, index: int) -> Piece:
        frame = self._image.frames[index]
        return Piece(index, self._image.runs(index), frame.content_len, frame.content_blake3)

    def _decoder(self) -> Decoder:
        decoder: Decoder | None = getattr(self._local, "decoder", None)
        if decoder is None:
            decoder = self._local.decoder = Decoder(self._writer.together_bytes)
        return decoder

    def _claim(self, index: int) -> bool:
        with self._lock:
            if index in self._done or self._claimed[index]:
                return False
            self._claimed[index] = 1
            return True

    def missing(self) -> Iterator[int]:
        """The frames that nobody brought yet, ascending; those of the guard are held, or missing.

        While frames are being accepted it is a moment's answer.
        """
        for index in range(1, len(self._image.frames)):
            if not (self._claimed[index] or index in self._held or index in self._done):
                yield index

    def settle_after(self, error: BaseException) -> None:
        """Prove and mark what was written completely, so that it counts for the next run.

        Raises only an error of the target that was found on the way: it outranks ``error``.
        """
        self._writer.settle_after(error)

    def finish(self) -> None:
        """Prove the rest, check that nothing is missing, then write the guard and prove it."""
        self._writer.prove_written()
        # those that are held are not done before the guard is written, and frame 0 never is
        missing = len(self._image.frames) - 1 - len(self._done) - len(self._held)
        if missing:
            raise ImageError(
                f"{missing} frames of the image {self._name} never arrived.",
                hint="Run it again: only these are fetched.",
            )
        self._writer.finish([self._decoded(index) for index in sorted(self._held)])

    def _decoded(self, index: int) -> Held:
        frame = self._image.frames[index]
        content = self._decoder().decode(index, frame, self._held[index], self._name)
        Decoder.check_content(index, frame, content, self._name)
        return Held(self._piece(index), bytes(content))
