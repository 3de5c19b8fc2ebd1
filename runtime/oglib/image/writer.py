# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer: takes stored frames in any order, from any thread, and puts them on the target.

It alone writes a target. Order of a restore: ``begin`` (the guard is zeroed and flushed),
``accept`` for every frame, ``finish`` (everything flushed and read back, then the guard). After
a failure ``settle`` makes what is already written count for the next run. Where frames come
from is not its business: pulled or pushed, from one source or several.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from oglib.errors import ImageError, OgError, WriteError
from oglib.image.decode import Decoder, check_stored
from oglib.image.done_map import DoneMap
from oglib.image.format import OpenImage
from oglib.image.guard import (
    GUARD_BYTES,
    guard_spans,
    ntfs_spare_boot_sector,
    seal_spans,
    split_by_seal,
)
from oglib.image.prover import Prover, check_held
from oglib.image.readback import ReadBack
from oglib.image.target import Target

_ZEROS = bytes(GUARD_BYTES)


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
        self._target = target
        self._done = done
        self._verify = verify
        self._on_written: Callable[[int], None] = lambda _count: None
        self.written_bytes = 0
        self._spans = guard_spans(image.manifest)
        self.guard_frames = frozenset(self._find_guard_frames())
        self._held: dict[int, bytes] = {}
        self._local = threading.local()
        self._state = threading.Condition()
        self._claimed = bytearray(len(image.frames))
        self._accepting = False
        self._busy = 0
        self._error: BaseException | None = None
        self._prover = Prover(image, target, done, verify=verify)

    def _find_guard_frames(self) -> list[int]:
        """The first frames, up to the last whose region begins inside the first guard span."""
        frames, block_size = self._image.frames, self._image.header.block_size
        found = []
        for index in range(1, len(frames)):
            if frames[index].first_block * block_size >= self._spans[0].end:
                break
            found.append(index)
        return found

    def begin(self, on_written: Callable[[int], None]) -> None:
        """Make the target unbootable: from here on it is ours, and incomplete.

        ``on_written`` is told the content bytes of every frame that was written.
        """
        self._on_written = on_written
        self._zero_guard()
        if self._verify and not self.guard_is_zero():
            raise WriteError(
                f"{self._target.path} does not keep what is written to it.",
                hint="Is it write-protected, or failing?",
            )
        self._accepting = True
        self._prover.start()

    def _zero_guard(self) -> None:
        for span in self._spans:
            self._target.write(_ZEROS[: span.end - span.start], span.start)
        self._target.flush()

    def guard_is_zero(self) -> bool:
        """Whether the target is as ``begin`` leaves it: nobody else has used it since."""
        with ReadBack(self._image, self._target) as reader:
            return all(
                reader.read(span.start, span.end - span.start) == _ZEROS[: span.end - span.start]
                for span in self._spans
            )

    def accept(self, index: int, stored: bytes | memoryview) -> None:
        """Check frame ``index`` and write it; returns when it is in the page cache.

        A frame that is done or under way is ignored, so several sources may offer the same
        one. Frames of the guard may come before ``begin`` and are held until ``finish``.
        """
        frame = self._image.frames[index]
        check_stored(index, frame, stored, self._name)
        if index in self.guard_frames:
            with self._state:
                self._held[index] = bytes(stored)
            return
        self._prover.wait_for_room()
        if not self._claim(index):
            return
        try:
            content = self._decoder().decode(index, frame, stored, self._name)
            if not self._verify:  # otherwise reading it back checks the same and more
                Decoder.check_content(index, frame, content, self._name)
            start = 0
            for offset, length in self._image.runs(frame):
                self._target.write(content[start : start + length], offset)
                start += length
            self._prover.add(index, frame.content_len)
        except BaseException as error:
            with self._state:
                self._error = self._error or error
            raise
        finally:
            with self._state:
                self._busy -= 1
                self._state.notify_all()
        with self._state:
            self.written_bytes += frame.content_len
        self._on_written(frame.content_len)

    def _decoder(self) -> Decoder:
        decoder: Decoder | None = getattr(self._local, "decoder", None)
        if decoder is None:
            decoder = self._local.decoder = Decoder(self._image.frames.region_bytes)
        return decoder

    def _claim(self, index: int) -> bool:
        with self._state:
            if self._error:
                raise self._error
            if not self._accepting:
                raise OgError("The restore has ended; no more frames are taken.")
            if index in self._done or self._claimed[index]:
                return False
            self._claimed[index] = 1
            self._busy += 1
            return True

    def _stop(self) -> None:
        """No more frames; wait until what is written is proven, or proving failed."""
        with self._state:
            self._accepting = False
            while self._busy:
                self._state.wait()
        self._prover.stop()

    def settle(self) -> None:
        """After a failure or an interrupt: prove and mark what was written completely.

        Raises only what proving found: an error of the target.
        """
        self._stop()
        if self._prover.error:
            raise self._prover.error

    def finish(self) -> None:
        """Prove the rest, check that nothing is missing, then write the guard and prove it."""
        self._stop()
        if error := self._prover.error or self._error:
            raise error
        missing = sum(
            index not in self._done and index not in self._held
            for index in range(1, len(self._image.frames))
        )
        if missing:
            raise ImageError(
                f"{missing} frames of the image {self._name} never arrived.",
                hint="Run it again: only these are fetched.",
            )
        try:
            self._write_guard()
        except BaseException:
            # What is not proven must not boot; the error that led here is the one to report.
            with suppress(OgError):
                self._zero_guard()
            raise

    def _write_guard(self) -> None:
        """The guard without its seal, flushed; then the seal; then both are read back."""
        sealed = self._write_held()
        boot = next((data for offset, data in sealed if offset == 0), b"")
        if spare := ntfs_spare_boot_sector(self._image.manifest, boot):
            sealed.append(spare)
        self._target.flush()
        for offset, data in sealed:
            self._target.write(data, offset)
        self._target.flush()
        if not self._verify:
            return
        with ReadBack(self._image, self._target) as reader:
            for index in self._held:
                check_held(self._image, self._target, index, reader)
            if spare and reader.read(spare[0], len(spare[1])) != spare[1]:
                raise WriteError(f"{self._target.path} did not keep its spare boot sector.")

    def _write_held(self) -> list[tuple[int, bytes]]:
        """Write the held frames except what belongs to the seal, which is returned."""
        seals = seal_spans(self._image.manifest)
        sealed: list[tuple[int, bytes]] = []
        for index in sorted(self._held):
            frame = self._image.frames[index]
            decoded = self._decoder().decode(index, frame, self._held[index], self._name)
            Decoder.check_content(index, frame, decoded, self._name)
            content, start = bytes(decoded), 0
            for offset, length in self._image.runs(frame):
                outside, inside = split_by_seal(offset, content[start : start + length], seals)
                start += length
                sealed += inside
                for place, data in outside:
                    self._target.write(data, place)
            self.written_bytes += frame.content_len
            self._on_written(frame.content_len)
        return sealed
