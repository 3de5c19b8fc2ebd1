# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that old clients read: partclone's checksummed stream through an old compressor.

What OpenGnsys' own commands write, without frames, manifest or signature. Such an image is read
back and checked from its first to its last byte before it gets its name.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from oglib.cancel import NEVER, Cancel
from oglib.errors import FilesystemError, ImageError, OgErr, OgError, WriteError
from oglib.filesystem.sizes import usage_of
from oglib.image.format.companions import info_line
from oglib.image.reading.formats.detect import open_stream
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.source import FileSource
from oglib.image.recording.device_capture import OWN_MAP, check_source, partclone_argv, source_held
from oglib.image.recording.estimate import TYPICAL_RATIO
from oglib.image.recording.filling import StreamEnded, spool_head
from oglib.image.recording.second_opinion import Opinion
from oglib.image.recording.sink import FileSink
from oglib.progress import Phase, Progress
from oglib.run import need
from oglib.streams import stream_from

_PIECE_BYTES = 1 << 20
_IMAGER = "partclone.imager"
# The compressor's word in ``.info``, and its command.
COMPRESSORS: dict[str, tuple[str, ...]] = {
    "lzop": ("lzop", "-c"),
    "gzip": ("pigz", "-c"),
    "bzip2": ("bzip2", "-c"),
    "none": (),
}


def capture_legacy(
    device: Path,
    filesystem: str,
    sink: FileSink,
    *,
    compressor: str,
    hostname: str,
    progress: Progress,
    raw: bool = False,
    dirty: bool = False,
    cancel: Cancel = NEVER,
) -> ImageInfo:
    """Capture ``device`` for old clients, packed by ``compressor`` (a key of COMPRESSORS).

    As ``image.capture`` otherwise; returns what the finished image says of itself.
    """
    try:
        program = check_source(device, filesystem, raw=raw, dirty=dirty) or _IMAGER
        if program == OWN_MAP:
            raise FilesystemError(
                f"{device} is not captured for old clients: its {filesystem} gives out blocks in "
                "clusters (bigalloc), which their tools cannot read.",
                hint="Capture it in our own format (without --format). Or --raw takes all its "
                "blocks.",
            )
        packer = COMPRESSORS[compressor]
        for each in (program, *packer[:1]):
            need(each)
        used = _used_bytes(device)
        sink.reserve(int(used * (TYPICAL_RATIO if packer else 1)))
        with source_held(device, program) as source:
            opinion = None if raw else Opinion(source, filesystem)
            with progress.phase("capture") as phase:
                if opinion is not None:
                    _refuse_lacking(program, opinion, dirty=dirty)
                argv = partclone_argv(program, source.path, dirty=dirty)
                with stream_from(*argv, calm=True) as stream:
                    if packer:
                        with stream_from(*packer, stdin=stream) as packed:
                            _pour(packed, sink, phase, cancel)
                    else:
                        _pour(stream, sink, phase, cancel)
        info = _header_of(sink.part)
        line = info_line(info.filesystem, info.required_bytes, hostname, compressor)
        sink.finish_plain(line, lambda part: _check(part, progress))
    except BaseException:
        sink.abort()
        raise
    return info


def _refuse_lacking(program: str, opinion: Opinion, *, dirty: bool) -> None:
    """Raise where partclone's bitmap lacks used blocks: its stream goes on as it is.

    A run of its own, ended after the head: the packer reads the stream itself.
    """
    argv = partclone_argv(program, opinion.source.path, "-a0", dirty=dirty)
    ended: StreamEnded | None = None
    with stream_from(*argv, calm=True, head_only=True) as said, TemporaryFile() as prefix:
        try:
            header = spool_head(said, prefix)
            opinion.refuse_lacking(prefix, header)
        except StreamEnded as error:
            ended = error  # leaving the block raises partclone's own words, when it has any
    if ended:
        raise ended


def _used_bytes(device: Path) -> int:
    """What files use; 0 where only partclone can tell."""
    try:
        return usage_of(device).used_bytes
    except OgError as error:
        if error.code is not OgErr.FILESYS:
            raise
        return 0


def _pour(stream: BinaryIO, sink: FileSink, phase: Phase, cancel: Cancel) -> None:
    while piece := stream.read(_PIECE_BYTES):
        cancel.check()
        sink.write(piece)
        phase.advance(len(piece))


def _header_of(part: Path) -> ImageInfo:
    with closing(open_stream(FileSource(part), part.name)) as image:
        return image.info


def _check(part: Path, progress: Progress) -> None:
    """Read the image back as a restore would, every checksum in it included."""
    with closing(open_stream(FileSource(part), part.name)) as image:
        try:
            with progress.phase("verify", image.content_bytes) as phase:
                for region in image.regions():
                    phase.advance(sum(length for _, length in region.runs))
        except ImageError as error:
            raise WriteError(
                f"{part} does not hold what was written to it: {error.message}",
                hint="The disk may be failing; look at its SMART data and the kernel's log.",
            ) from error
