# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer: takes the content of regions in any order, from any thread, and puts it in place.

It alone writes a target, and knows no format: ``frame_writer`` feeds it with verified frames,
``restore_stream`` with the regions of foreign images. Order of a restore: ``begin`` (the guard
is zeroed and flushed), ``place`` for every region outside the guard, ``finish`` (everything
flushed and read back, then the guard). After a failure ``settle`` makes what is already
written count for the next run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from oglib.errors import OgError, WriteError
from oglib.image.reading.formats.model import Buffer
from oglib.image.writing.direct import DirectWriter
from oglib.image.writing.guard import (
    GUARD_BYTES,
    decisive_sector,
    guard_spans,
    in_guard,
    ntfs_spare_boot_sector,
    seal_spans,
    split_by_seal,
)
from oglib.image.writing.prover import Piece, Prover, check_held
from oglib.image.writing.readback import ReadBack
from oglib.image.writing.shape import Shape
from oglib.image.writing.target import Target

_ZEROS = bytes(GUARD_BYTES)


@dataclass(frozen=True, slots=True)
class Held:
    """A region of the guard, kept until everything else is proven."""

    piece: Piece
    content: bytes


class RegionWriter:
    """One restore to one target. ``verify`` reads everything back.

    ``mark`` is told the numbers of the pieces that are on the medium for certain.
    """

    def __init__(
        self, shape: Shape, target: Target, *, verify: bool, mark: Callable[[list[int]], None]
    ) -> None:
        self._shape = shape
        self._target = target
        self._verify = verify
        self._on_written: Callable[[int], None] = lambda _count: None
        self.written_bytes = 0
        self.spans = guard_spans(shape)
        self._state = threading.Condition()
        self._accepting = False
        self._busy = 0
        self._error: BaseException | None = None
        self._direct = DirectWriter(target, shape.region_bytes)
        self._prover = Prover(target, self.room_bytes, mark, verify=verify)

    @property
    def room_bytes(self) -> int:
        """What the longest read of the target takes: a region, or the guard."""
        return max(self._shape.region_bytes, GUARD_BYTES)

    def holds_back(self, number: int) -> bool:
        """Whether region ``number`` touches the guard, so that it comes with ``finish``."""
        return in_guard(number, self._shape.region_bytes, self.spans)

    def begin(self, on_written: Callable[[int], None]) -> None:
        """Make the target unbootable: from here on it is ours, and incomplete.

        ``on_written`` is told the content bytes of every region that was written.
        """
        self._on_written = on_written
        self._zero_guard()
        if self._verify and not self.guard_is_zero():
            raise WriteError(
                f"{self._target.path} does not keep what is written to it.",
                hint="Is it write-protected, or failing?",
            )
        self._direct.open()
        self._accepting = True
        self._prover.start()

    def _zero_guard(self) -> None:
        for span in self.spans:
            self._target.write(_ZEROS[: span.end - span.start], span.start)
        self._target.flush()

    def guard_is_zero(self) -> bool:
        """Whether the target is as ``begin`` leaves it: nobody else has used it since."""
        with ReadBack(self._target, self.room_bytes) as reader:
            return all(
                reader.read(span.start, span.end - span.start) == _ZEROS[: span.end - span.start]
                for span in self.spans
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around the work on one region: waits for room, and remembers the first error."""
        self._prover.wait_for_room()
        with self._state:
            if self._error:
                raise self._error
            if not self._accepting:
                raise OgError("The restore has ended; no more frames are taken.")
            self._busy += 1
        try:
            yield
        except BaseException as error:
            with self._state:
                self._error = self._error or error
            raise
        finally:
            with self._state:
                self._busy -= 1
                self._state.notify_all()

    @property
    def together_bytes(self) -> int:
        """How much content is best placed at once; a region at least."""
        return self._direct.request_bytes

    def place(self, pieces: Sequence[Piece], views: Sequence[Buffer]) -> None:
        """Write ``views``, back to back, into the runs of ``pieces``; inside ``writing`` only.

        Returns when they are written, which is not yet: when they would outlive a power cut.
        """
        self._direct.write_runs([run for piece in pieces for run in piece.runs], views)
        length = 0
        for piece in pieces:
            self._prover.add(piece)
            length += piece.length
        with self._state:
            self.written_bytes += length
        self._on_written(length)

    def _stop(self) -> None:
        """No more regions; wait until what is written is proven, or proving failed."""
        with self._state:
            self._accepting = False
            while self._busy:
                self._state.wait()
        self._prover.stop()
        self._direct.close()

    def settle(self) -> None:
        """After a failure or an interrupt: prove and mark what was written completely.

        Raises only what proving found: an error of the target.
        """
        self._stop()
        if self._prover.error:
            raise self._prover.error

    def settle_after(self, error: BaseException) -> None:
        """``settle``; an error of the target found on the way outranks ``error``."""
        try:
            self.settle()
        except OgError as found:
            if found is not error:
                raise found from error

    def prove_written(self) -> None:
        """Prove everything that was written so far; raise what went wrong."""
        self._stop()
        if error := self._prover.error or self._error:
            raise error

    def finish(self, held: Sequence[Held]) -> None:
        """Write the guard from ``held``, and prove it; call ``prove_written`` before."""
        try:
            self._write_guard(held)
        except BaseException:
            # What is not proven must not boot; the error that led here is the one to report.
            with suppress(OgError):
                self._zero_guard()
            raise

    def _write_guard(self, held: Sequence[Held]) -> None:
        """The guard without its seal; the seal; its decisive sector: each is flushed.

        Then all are read back.
        """
        sealed = [part for one in held for part in self._write_held(one)]
        boot = next((data for offset, data in sealed if offset == 0), b"")
        if spare := ntfs_spare_boot_sector(self._shape, boot):
            sealed.append(spare)
        self._target.flush()
        decisive: list[tuple[int, bytes]] = []
        for offset, data in sealed:
            outside, inside = split_by_seal(offset, data, [decisive_sector(self._shape)])
            self._write_all(outside)
            decisive += inside
        self._target.flush()
        self._write_all(decisive)
        self._target.flush()
        if not self._verify:
            return
        with ReadBack(self._target, self.room_bytes) as reader:
            for one in held:
                if one.piece.runs:
                    check_held(self._target, [one.piece], reader)
            if spare and reader.read(spare[0], len(spare[1])) != spare[1]:
                raise WriteError(f"{self._target.path} did not keep its spare boot sector.")

    def _write_all(self, parts: Sequence[tuple[int, bytes]]) -> None:
        for offset, data in parts:
            self._target.write(data, offset)

    def _write_held(self, held: Held) -> list[tuple[int, bytes]]:
        """Write a held region except what belongs to the seal, which is returned."""
        seals = seal_spans(self._shape)
        sealed: list[tuple[int, bytes]] = []
        start = 0
        for offset, length in held.piece.runs:
            outside, inside = split_by_seal(offset, held.content[start : start + length], seals)
            start += length
            sealed += inside
            self._write_all(outside)
        self.written_bytes += held.piece.length
        self._on_written(held.piece.length)
        return sealed
