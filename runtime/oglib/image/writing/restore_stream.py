# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring a foreign image: its regions, in the order in which it gives them, into the writer.

Nothing vouches for a region before the image's own checksums did, and for the whole before its
end: so the guard is held back until then. There is no map of what is done; a rerun, like a
delta, compares each region with the target and writes what differs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice

from blake3 import blake3

from oglib.cancel import Cancel
from oglib.errors import ImageError
from oglib.image.ordered import in_order, worker_count
from oglib.image.reading.formats.model import Region, StreamImage, measured
from oglib.image.writing.prover import Piece
from oglib.image.writing.readback import TargetHasher
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.region_writer import Held, RegionWriter
from oglib.image.writing.shape import Shape, shape_of_stream
from oglib.image.writing.target import Target, check_capacity
from oglib.progress import Progress
from oglib.wording.spoken import name_of

_SAMPLE_REGIONS = 8


def restore_stream(
    image: StreamImage,
    target: Target,
    *,
    progress: Progress,
    verify: bool,
    workers: int | None,
    delta: bool,
    cancel: Cancel,
) -> Receipt:
    """Write ``image`` to ``target``; what can be refused is refused before the first write."""
    started = time.monotonic()
    needed = image.required_bytes or measured(image, progress, cancel)
    check_capacity(target, needed, image.sector_size or target.sector_size, image.name)
    shape = shape_of_stream(image, needed, target.sector_size)
    writer = RegionWriter(shape, target, verify=verify, mark=lambda _numbers: None)
    count = worker_count(workers, 4 * shape.region_bytes)
    regions = checked_regions(image, shape)
    # Asked for first and kept: a source that is dead or damaged here destroys nothing.
    first = list(islice(regions, 1))
    with (
        TargetHasher(target, writer.room_bytes) as hasher,
        progress.phase("restore", image.content_bytes) as phase,
    ):
        taker, poured = _Taker(writer, hasher, verify, _Comparing(always=delta)), _Poured()
        if not delta and not writer.guard_is_zero():
            taker.comparing.stop()
        cancel.check()  # the target is still as it was
        writer.begin(phase.advance)
        try:
            with closing(in_order(taker.take, chain(first, regions), count)) as results:
                for taken in results:
                    cancel.check()
                    poured.add(taken)
                    phase.skip(taken.equal_bytes)
            writer.prove_written()
            writer.finish(taker.held())
        except BaseException as error:
            writer.settle_after(error)
            raise
    return Receipt(
        image=image.name,
        version=image.version,
        signed_by=image.signed_by,
        image_blake3="",
        frames_blake3="",
        source=image.where,
        target=name_of(target.path),
        target_size_bytes=target.size_bytes,
        frames=poured.regions,
        fetched_bytes=image.stored_bytes,
        written_bytes=writer.written_bytes,
        skipped_bytes=poured.equal_bytes,
        skipped_frames=poured.equal_regions,
        resumed=taker.comparing.resuming,
        seconds=round(time.monotonic() - started, 3),
        verified="read-back" if verify else "not proven",
        warnings=image.warnings,
        content_blake3=poured.digest.hexdigest() if verify else "",
    )


def checked_regions(image: StreamImage, shape: Shape) -> Iterator[Region]:
    """The regions of ``image``, each inside its own place and the target, or ``ImageError``.

    The readers see to that themselves; here it is what keeps a write inside the target.
    """
    following = 0
    for region in image.regions():
        low = region.number * shape.region_bytes
        high = min(low + shape.region_bytes, shape.device_size_bytes)
        at = low
        for offset, length in region.runs:
            if offset < at or length <= 0:
                at = high + 1
                break
            at = offset + length
        whole = sum(length for _, length in region.runs) == sum(map(len, region.views))
        if region.number < following or at > high or not whole:
            raise ImageError(
                f"Region {region.number} of the image {image.name} does not lie where its content "
                f"can be: {shape.device_size_bytes} bytes are needed, it says."
            )
        following = region.number + 1
        yield region


class _Comparing:
    """Whether a region is compared before it is written.

    On a target that an earlier run left with its guard gone, a few regions are tried: if it
    holds one of them, that run was of this image (``resuming``), and all are compared. Zeros
    prove nothing.
    """

    def __init__(self, *, always: bool) -> None:
        self._lock = threading.Lock()
        self._left = 0 if always else _SAMPLE_REGIONS
        self.active = True
        self.resuming = False

    def stop(self) -> None:
        self.active = False

    def seen(self, piece: Piece, same: bool) -> None:
        """One was compared."""
        if not self._left:
            return
        zeros = piece.digest == blake3(bytes(piece.length)).digest()
        with self._lock:
            if zeros or not self._left:
                return
            self.resuming = same
            self._left = 0 if same else self._left - 1
            if not self._left and not same:
                self.active = False


@dataclass(frozen=True, slots=True)
class _Taken:
    digest: bytes
    equal_bytes: int


class _Poured:
    """What came of all regions so far."""

    def __init__(self) -> None:
        self.digest = blake3()
        self.regions = self.equal_regions = self.equal_bytes = 0

    def add(self, taken: _Taken) -> None:
        self.digest.update(taken.digest)
        self.regions += 1
        self.equal_regions += bool(taken.equal_bytes)
        self.equal_bytes += taken.equal_bytes


class _Taker:
    """What the worker threads do with a region."""

    def __init__(
        self, writer: RegionWriter, hasher: TargetHasher, verify: bool, comparing: _Comparing
    ) -> None:
        self._writer = writer
        self._hasher = hasher
        self._verify = verify
        self.comparing = comparing
        self._held: dict[int, Held] = {}

    def held(self) -> list[Held]:
        """The regions of the guard."""
        return [self._held[number] for number in sorted(self._held)]

    def take(self, region: Region) -> _Taken:
        """Write it, unless it belongs to the guard or is on the target already."""
        compare = self.comparing.active
        digest = b""
        if self._verify or compare:
            hasher = blake3()
            for view in region.views:
                hasher.update(view)
            digest = hasher.digest()
        piece = Piece(region.number, region.runs, sum(map(len, region.views)), digest)
        if self._writer.holds_back(region.number):
            self._held[region.number] = Held(piece, b"".join(region.views))
            return _Taken(digest, 0)
        with self._writer.writing():
            if compare:
                same = self._hasher.holds(piece.runs, digest)
                self.comparing.seen(piece, same)
                if same:
                    return _Taken(digest, piece.length)
            self._writer.place([piece], region.views)
        return _Taken(digest, 0)
