# SPDX-License-Identifier: GPL-3.0-or-later
"""Capturing a partition: what partclone would write of it, recorded as an image into a sink.

Judges the source before it is read, keeps everybody else from it, and has partclone tell which
blocks are used (checksums off: every frame carries better ones). The filesystem's own tables have
the second word on that. Nothing is published here; that is the sink's ``finish``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from oglib.cancel import NEVER, Cancel
from oglib.errors import FilesystemError, ImageError, OgErr
from oglib.filesystem.kinds import KINDS, kind_of
from oglib.filesystem.state import NEVER_CAPTURED, state_of
from oglib.filesystem.structures.ext import Traits, traits
from oglib.image.format.frames import digest_of_file, region_bytes_for
from oglib.image.format.manifest import Manifest, SourceInfo, check_name, check_text
from oglib.image.reading.raw_stream import RawHead
from oglib.image.recording.filling import StreamEnded
from oglib.image.recording.recorder import Recorded, record
from oglib.image.recording.second_opinion import Opinion, own_head
from oglib.image.recording.sink import ImageSink
from oglib.image.writing.target import Target, open_target
from oglib.kernel.claim import claimed
from oglib.progress import Phase, Progress
from oglib.streams import stream_from

# It claims the device itself, and refuses one that is claimed already.
_CLAIMS_ITSELF = "partclone.f2fs"
# In place of a program: the filesystem's own tables alone tell which blocks are used.
OWN_MAP = "oglive"
_EXT_PROGRAM = KINDS["ext4"].partclone


@dataclass(frozen=True, slots=True)
class CaptureMeta:
    """What a person says of a new image, where it comes from and what is installed on it."""

    name: str
    title: str = ""
    comment: str = ""
    parent: str = ""
    source: SourceInfo = field(default_factory=SourceInfo)
    software: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.parent:
            check_name(self.parent)
        for text in (
            self.title, self.comment, self.source.hostname, self.source.os, *self.software
        ):  # fmt: skip
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
    raw: bool = False,
    dirty: bool = False,
    cancel: Cancel = NEVER,
) -> Manifest:
    """Capture ``device`` (block device or regular file) into ``sink``; returns its manifest.

    ``filesystem`` is blkid's word for it. ``raw`` takes every block, whatever it is; ``dirty``
    takes a filesystem that was not shut down cleanly. The sink has finished when this returns;
    after an error it was aborted and nothing is visible. ``scratch`` takes bitmap and frame table.
    """
    try:
        program = check_source(device, filesystem, raw=raw, dirty=dirty)
        with (
            source_held(device, program) as source,
            tempfile.TemporaryDirectory(prefix="og-capture-", dir=scratch) as folder,
        ):
            opinion = None if raw else Opinion(source, filesystem)
            with progress.phase("capture") as phase:
                recorded = _recorded(
                    program, source, sink, Path(folder), phase,
                    workers=workers, dirty=dirty, opinion=opinion, cancel=cancel,
                )  # fmt: skip
            manifest = manifest_of(recorded, meta, source.sector_size)
            if opinion is not None:
                manifest = replace(manifest, added_blocks=opinion.added)
            sink.finish(recorded.frames_path, manifest.to_bytes())
    except BaseException:
        sink.abort()
        raise
    return manifest


def check_source(device: Path, filesystem: str, *, raw: bool, dirty: bool) -> str:
    """The partclone program for what is on ``device``, empty for ``raw``; or ``OWN_MAP``.

    Raises for what is encrypted, on several devices, unknown to partclone or, unless ``dirty``,
    not shut down.
    """
    if raw:
        return ""
    for state in state_of(device):
        never = state.trouble in NEVER_CAPTURED
        if never or not dirty:
            way = "--raw takes all its blocks" if never else "--dirty takes it all the same"
            raise FilesystemError(
                f"{device} is not captured: {state.text}.", hint=f"{state.remedy} Or {way}."
            )
    program = program_for(filesystem)
    if program == _EXT_PROGRAM and _ext_traits(device).clusters:
        return OWN_MAP  # most versions of partclone take its bitmaps for ones of blocks
    return program


def _ext_traits(device: Path) -> Traits:
    with device.open("rb", buffering=0) as file:
        return traits(lambda offset, size: os.pread(file.fileno(), size, offset))


@contextmanager
def source_held(device: Path, program: str) -> Iterator[Target]:
    """The source, open for reading, while nobody can mount it or write to it."""
    with open_target(device, write=False) as source:
        if program != _CLAIMS_ITSELF:
            yield source
            return
    with claimed(source.path, write=False, exclusive=False) as fd:
        yield replace(source, fd=fd)


def program_for(filesystem: str) -> str:
    """The partclone program that captures ``filesystem``, blkid's word for it."""
    kind = kind_of(filesystem)
    if not kind.partclone:
        raise ImageError(
            f"partclone cannot capture the filesystem {filesystem!r}.",
            hint="--raw takes all its blocks. partclone knows "
            f"{', '.join(name for name, row in KINDS.items() if row.partclone)}.",
            code=OgErr.PARTITION,
        )
    return kind.partclone


def partclone_argv(
    program: str, source: Path, *options: str, dirty: bool
) -> tuple[str | Path, ...]:
    """The command that writes ``source`` as a partclone image to its standard output."""
    # partclone sleeps in steps of its progress interval even when it draws nothing, and with no
    # interval it never rests: run it calm.
    quiet = ("-q", "-f", "0", "-L", "/dev/null", "-o", "-")
    # It takes an ext whose periodic check is due for one that is not clean; whether it is clean
    # was looked at before.
    forced = dirty or (program == _EXT_PROGRAM and _ext_traits(source).check_due)
    return (program, "-c", "-s", source, *options, *(("-F",) if forced else ()), *quiet)


def _recorded(
    program: str,
    source: Target,
    sink: ImageSink,
    folder: Path,
    phase: Phase,
    *,
    workers: int | None,
    dirty: bool,
    opinion: Opinion | None,
    cancel: Cancel,
) -> Recorded:
    """Everything but the manifest.

    partclone says which blocks are used, and keeps its claim on the source while it waits to
    write them; the blocks themselves are read here, which costs a tenth less than its pipe.
    """
    os.posix_fadvise(source.fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    if opinion is None:
        head = cast(BinaryIO, RawHead(source))  # the recorder reads it as any stream
        return record(
            head, sink, folder, phase=phase, workers=workers, source=source, cancel=cancel
        )
    if program == OWN_MAP:
        with own_head(source, opinion.filesystem, folder) as made:
            return record(
                cast(BinaryIO, made), sink, folder,
                phase=phase, workers=workers, source=source, cancel=cancel,
            )  # fmt: skip
    ended: StreamEnded | None = None
    argv = partclone_argv(program, source.path, "-a0", dirty=dirty)
    with stream_from(*argv, calm=True, head_only=True) as said:
        try:
            recorded = record(
                said, sink, folder, phase=phase, workers=workers, source=source,
                judge=opinion.completed, cancel=cancel,
            )  # fmt: skip
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
        software=meta.software,
        partclone="" if header.writer == OWN_MAP else header.writer,
    )
