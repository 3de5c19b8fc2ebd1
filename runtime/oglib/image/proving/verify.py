# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving an image without writing: all of it against its digests, or a target against it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from blake3 import blake3

from oglib.errors import ImageError
from oglib.image.any import Image, either, report, supply_of
from oglib.image.ordered import in_order, reader_count, worker_count
from oglib.image.proving.verify_stream import DiffersError, verify_stream
from oglib.image.reading.decode import Decoder
from oglib.image.reading.opened import OpenImage
from oglib.image.reading.whole import pieces_of
from oglib.image.writing.readback import TargetHasher
from oglib.image.writing.target import check_capacity, open_target
from oglib.progress import Progress
from oglib.wording import spoken


@dataclass(frozen=True, slots=True)
class Verified:
    """A proof that succeeded; ``against`` is ``digests`` or the target's path."""

    image: str
    version: int
    signed_by: str
    against: str
    frames: int
    content_bytes: int
    seconds: float
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {**asdict(self), "warnings": list(self.warnings)}


def verify(
    image: Image,
    target: Path | None = None,
    *,
    progress: Progress,
    workers: int | None = None,
) -> Verified:
    """Check every byte of ``image``, or every used block of ``target`` against it.

    Without a target: ``ImageError`` names the first damaged frame. With one, which is only
    read: ``WriteError`` names the first place that differs and how many regions do.
    """
    started = time.monotonic()
    report(supply_of(image), progress)
    frames, content = either(
        image,
        ours=lambda own: _verify_ours(own, target, progress, workers),
        foreign=lambda stream: verify_stream(stream, target, progress=progress, workers=workers),
    )
    return Verified(
        image=image.name,
        version=image.version,
        signed_by=image.signed_by,
        against="digests" if target is None else spoken.name_of(target),
        frames=frames,
        content_bytes=content,
        seconds=round(time.monotonic() - started, 3),
        warnings=image.warnings,
    )


def _verify_ours(
    image: OpenImage, target: Path | None, progress: Progress, workers: int | None
) -> tuple[int, int]:
    """The number of frames and the bytes of content that were proven."""
    count = worker_count(workers, 4 * image.frames.region_bytes)
    content = image.header.used_blocks * image.header.block_size
    if target is None:
        _verify_body(image, progress, content, count)
    else:
        _verify_target(image, target, progress, content, count)
    return len(image.frames), content


def _verify_body(image: OpenImage, progress: Progress, content: int, workers: int) -> None:
    name, local, whole = image.manifest.name, threading.local(), blake3()

    def check(item: tuple[int, bytes]) -> int:
        index, stored = item
        frame = image.frames[index]
        decoder: Decoder | None = getattr(local, "decoder", None)
        if decoder is None:
            decoder = local.decoder = Decoder(image.frames.region_bytes)
        Decoder.check_content(index, frame, decoder.decode(index, frame, stored, name), name)
        return frame.content_len

    with (
        progress.phase("verify", content) as phase,
        closing(in_order(check, _stored_frames(image, whole), workers)) as results,
    ):
        for length in results:
            phase.advance(length)
    if whole.hexdigest() != image.manifest.image_blake3:
        raise ImageError(
            f"The image file of {name} does not match the digest in its manifest.",
            hint="Fetch or copy the image again.",
        )


def _stored_frames(image: OpenImage, whole: blake3) -> Iterator[tuple[int, bytes]]:
    """Every frame but the first, proven, in file order; ``whole`` has hashed the file at the end.

    What frame 0 holds was checked when the image was opened.
    """
    for index, stored in pieces_of(image):
        whole.update(stored)
        if index:
            yield index, stored


def holds_frame(image: OpenImage, hasher: TargetHasher) -> Callable[[int], bool]:
    """Whether the target holds the content of a frame, as a function of the frame's number."""

    def holds(index: int) -> bool:
        frame = image.frames[index]
        return hasher.holds(image.runs(index), frame.content_blake3)

    return holds


def _verify_target(
    image: OpenImage, target: Path, progress: Progress, content: int, workers: int
) -> None:
    manifest = image.manifest
    indexes = range(1, len(image.frames))
    readers = reader_count(workers, image.frames.region_bytes)
    first = different = 0
    with open_target(target, write=False) as opened:
        check_capacity(opened, manifest.device_size_bytes, manifest.sector_size, manifest.name)
        with (
            progress.phase("verify", content) as phase,
            TargetHasher(opened, image.frames.region_bytes) as hasher,
            closing(in_order(holds_frame(image, hasher), indexes, readers)) as results,
        ):
            for index, same in zip(indexes, results, strict=True):
                phase.advance(image.frames[index].content_len)
                if not same:
                    first = first or index
                    different += 1
    if different:
        raise DiffersError(
            target, manifest.name, different, len(indexes),
            image.frames[first].first_block * image.header.block_size,
        )  # fmt: skip
