# SPDX-License-Identifier: GPL-3.0-or-later
"""Any image into an image of ours, without a disk between them.

A foreign image is told again as a partclone stream and recorded as a capture is. One of ours is
copied as it is. Both are verified on the way, and nothing is visible under the new name before
all of it was. Where images come from and go to is the caller's business.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from blake3 import blake3

from oglib.errors import ImageError, WriteError
from oglib.image.any import Image, either
from oglib.image.format.frames import FrameWriter
from oglib.image.format.manifest import Manifest
from oglib.image.reading.formats.model import StreamImage
from oglib.image.reading.opened import OpenImage
from oglib.image.reading.partclone_stream import partclone_stream
from oglib.image.reading.whole import pieces_of
from oglib.image.recording.device_capture import CaptureMeta, manifest_of
from oglib.image.recording.filling import StreamEnded
from oglib.image.recording.recorder import record
from oglib.image.recording.sink import ImageSink
from oglib.progress import Progress

_SECTOR_BYTES = 512  # of an image that does not know its disk's: nearly every disk has these


def transcode(
    image: Image,
    sink: ImageSink,
    *,
    meta: CaptureMeta,
    progress: Progress,
    workers: int | None = None,
    scratch: Path | None = None,
) -> Manifest:
    """Write ``image`` to ``sink`` in our format; returns the new manifest.

    The sink has finished when this returns; after an error it was aborted and nothing is
    visible. What ``meta`` leaves empty stays as an image of ours had it. ``scratch`` takes
    bitmap and frame table. An image that does not know its used blocks beforehand is read
    twice. Raises ``ImageError`` for a damaged image.
    """
    try:
        with TemporaryDirectory(prefix="og-convert-", dir=scratch) as folder:
            room = Path(folder)
            return either(
                image,
                ours=lambda own: _copied(own, sink, room, meta, progress),
                foreign=lambda stream: _recorded_anew(
                    stream, sink, room, meta, progress, workers=workers
                ),
            )
    except BaseException:
        sink.abort()
        raise


def _recorded_anew(
    image: StreamImage, sink: ImageSink, folder: Path, meta: CaptureMeta, progress: Progress,
    *, workers: int | None,
) -> Manifest:  # fmt: skip
    with (
        partclone_stream(image, folder, progress) as stream,
        progress.phase("convert") as phase,
    ):
        try:
            recorded = record(stream, sink, folder, phase=phase, workers=workers)
        except StreamEnded:
            raise ImageError(
                f"{image.name} holds fewer blocks than it says.",
                hint="It is cut off or damaged; copy it again.",
            ) from None
    manifest = manifest_of(recorded, meta, image.sector_size or _SECTOR_BYTES)
    sink.finish(recorded.frames_path, manifest.to_bytes())
    return manifest


def _copied(
    image: OpenImage, sink: ImageSink, folder: Path, meta: CaptureMeta, progress: Progress
) -> Manifest:
    """The same bytes under the name of ``meta``; version and key are a repository's to give."""
    old, size = image.manifest, image.source.size_bytes
    digest = blake3()
    sink.reserve(size)
    with progress.phase("convert", size) as phase:
        for _, piece in pieces_of(image):
            digest.update(piece)
            sink.write(piece)
            phase.advance(len(piece))
    if digest.hexdigest() != old.image_blake3:
        raise ImageError(
            f"The image file of {old.name} does not match the digest in its manifest.",
            hint="Fetch or copy the image again.",
        )
    manifest = replace(
        old,
        name=meta.name,
        version=0,
        key_id="",
        title=meta.title or old.title,
        comment=meta.comment or old.comment,
        parent=meta.parent or old.parent,
    )
    sink.finish(_table_of(image, folder), manifest.to_bytes())
    return manifest


def _table_of(image: OpenImage, folder: Path) -> Path:
    """The frame table once more, as a file that the sink can take."""
    path = folder / "frames"
    try:
        with path.open("w+b") as file:
            table = FrameWriter(file, image.frames.region_bytes)
            for frame in image.frames:
                table.append(frame)
            table.finish()
    except OSError as error:
        raise WriteError(
            f"The frame table cannot be written: {error.strerror}.",
            hint=f"{folder.parent} needs room for {image.frames.size_bytes} bytes.",
        ) from error
    return path
