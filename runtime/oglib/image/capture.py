# SPDX-License-Identifier: GPL-3.0-or-later
"""Capturing a partition: partclone's own stream, recorded as an image into a sink.

Starts partclone (checksums off: every frame carries better ones) and judges its exit status
before anything is finished. Nothing is published here; that is the sink's ``finish``.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from oglib.errors import ImageError, OgErr
from oglib.filesystem.kinds import KINDS, kind_of
from oglib.image.frames import digest_of_file, region_bytes_for
from oglib.image.manifest import Manifest, SourceInfo, check_name, check_text
from oglib.image.recorder import Recorded, StreamEnded, record
from oglib.image.sink import ImageSink
from oglib.image.target import open_target
from oglib.progress import Phase, Progress
from oglib.run import stream_from


@dataclass(frozen=True, slots=True)
class CaptureMeta:
    """What a person says of a new image, and where it comes from."""

    name: str
    title: str = ""
    comment: str = ""
    parent: str = ""
    source: SourceInfo = field(default_factory=SourceInfo)

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.parent:
            check_name(self.parent)
        for text in (self.title, self.comment, self.source.hostname, self.source.os):
            check_text(text)


def capture(
    device: Path,
    filesystem: str,
    sink: ImageSink,
    *,
    meta: CaptureMeta,
    progress: Progress,
    workers: int | None = None,
    scratch: Path | None = None,
) -> Manifest:
    """Capture ``device`` (block device or regular file) into ``sink``; returns its manifest.

    ``filesystem`` is blkid's word for it. The sink has finished when this returns; after an
    error it was aborted and nothing is visible. ``scratch`` takes bitmap and frame table.
    """
    try:
        program = program_for(filesystem)
        with open_target(device, write=False) as opened:  # refuses what is mounted or in use
            device, sector_size = opened.path, opened.sector_size
        with tempfile.TemporaryDirectory(prefix="og-capture-", dir=scratch) as folder:
            with progress.phase("capture") as phase:
                recorded = _record(program, device, sink, Path(folder), phase, workers=workers)
            manifest = manifest_of(recorded, meta, sector_size)
            sink.finish(recorded.frames_path, manifest.to_bytes())
    except BaseException:
        sink.abort()
        raise
    return manifest


def program_for(filesystem: str) -> str:
    """The partclone program that captures ``filesystem``, blkid's word for it."""
    kind = kind_of(filesystem)
    if not kind.partclone:
        raise ImageError(
            f"partclone cannot capture the filesystem {filesystem!r}.",
            hint=f"It knows {', '.join(name for name, row in KINDS.items() if row.partclone)}.",
            code=OgErr.PARTITION,
        )
    return kind.partclone


def _record(
    program: str, device: Path, sink: ImageSink, folder: Path, phase: Phase, *, workers: int | None
) -> Recorded:
    """Everything but the manifest; returns once partclone ended well."""
    # -f 1: partclone sleeps in steps of its progress interval even when it draws nothing.
    argv = (program, "-c", "-s", device, "-a0", "-q", "-f", "1", "-L", "/dev/null", "-o", "-")
    ended: StreamEnded | None = None
    with stream_from(*argv) as stream:
        try:
            recorded = record(stream, sink, folder, phase=phase, workers=workers)
        except StreamEnded as error:
            ended = error  # leaving the block raises partclone's own words, when it has any
    if ended:
        raise ended
    return recorded


def manifest_of(recorded: Recorded, meta: CaptureMeta, sector_size: int) -> Manifest:
    """The manifest of a recorded image, without version and key: a repository gives those."""
    header = recorded.header
    frames_digest, _ = digest_of_file(recorded.frames_path)
    return Manifest(
        name=meta.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        filesystem=header.filesystem,
        block_size=header.block_size,
        total_blocks=header.total_blocks,
        used_blocks=header.used_blocks,
        device_size_bytes=header.device_size_bytes,
        sector_size=sector_size,
        region_bytes=region_bytes_for(header.block_size),
        frame_count=recorded.frame_count,
        image_size_bytes=recorded.size_bytes,
        image_blake3=recorded.blake3,
        frames_blake3=frames_digest.hex(),
        parent=meta.parent,
        title=meta.title,
        comment=meta.comment,
        source=meta.source,
    )
