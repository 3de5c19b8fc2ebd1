# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening an image: every claim is checked before anything is done with it.

``open_image`` joins manifest, signature, frame table and a source of stored bytes into an
``OpenImage``, or raises. It reads frame 0 and the seek table from the source, nothing else, and
prints nothing: what a person should know comes back as ``warnings``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from oglib.cancel import NEVER, Cancel
from oglib.errors import ImageError, NotFoundError, OgErr
from oglib.filesystem.kind import Kind
from oglib.filesystem.kinds import kind_in_image
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.frames import FrameTable, digest_of_file, table_bytes
from oglib.image.format.manifest import Manifest, SourceInfo, titled
from oglib.image.format.partclone import (
    BITMAP_BITS,
    CHECKSUM_NONE,
    HEADER_BYTES,
    Header,
    parse_header,
    prefix_bytes,
)
from oglib.image.format.seekable import seek_table, seek_table_bytes
from oglib.image.format.signing import PublicKey
from oglib.image.reading.decode import spool_first_frame
from oglib.image.reading.formats.model import OwnInfo
from oglib.image.reading.source import FileSource, FrameSource, files_of, holds
from oglib.image.reading.vouching import Policy, Vouched, vouch
from oglib.progress import Progress


@dataclass(frozen=True, slots=True)
class OpenImage:
    """An image whose manifest, table, header and bitmap agree; close it when done.

    What it is asked as any image: ``any.Image``.
    """

    manifest: Manifest
    header: Header
    bitmap: Bitmap
    frames: FrameTable
    source: FrameSource
    signed_by: str
    warnings: tuple[str, ...]
    _spool: BinaryIO

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def title(self) -> str:
        return titled(self.name, self.version)

    @property
    def where(self) -> str:
        return self.source.describe()

    @property
    def files(self) -> tuple[Path, ...]:
        return files_of(self.source)

    @property
    def version(self) -> int:
        return self.manifest.version

    @property
    def origin(self) -> SourceInfo:
        return self.manifest.source

    @property
    def firmware(self) -> str:
        return self.manifest.source.firmware

    @property
    def required_bytes(self) -> int:
        return self.manifest.device_size_bytes

    @property
    def sector_size(self) -> int:
        return self.manifest.sector_size

    @property
    def filesystem(self) -> str:
        return self.manifest.filesystem.upper()

    @property
    def kind(self) -> Kind | None:
        return kind_in_image(self.manifest.filesystem)

    @property
    def own_warnings(self) -> tuple[str, ...]:
        return ()

    def sized(self, _progress: Progress, _cancel: Cancel = NEVER) -> OpenImage:
        return self

    def refuse_cut(self, _progress: Progress, _cancel: Cancel = NEVER) -> None:
        """It has digests of every part."""

    @property
    def info(self) -> OwnInfo:
        manifest = self.manifest
        return OwnInfo(
            tool="partclone",
            compressor="zstd",
            filesystem=manifest.filesystem,
            block_size=manifest.block_size,
            total_blocks=manifest.total_blocks,
            used_blocks=manifest.used_blocks,
            required_bytes=manifest.device_size_bytes,
            frames=manifest.frame_count,
            signed=bool(self.signed_by),
            name=manifest.name,
            version=manifest.version,
            title=manifest.title,
            comment=manifest.comment,
            os=manifest.source.os,
            hostname=manifest.source.hostname,
            created=manifest.created,
            signed_by=self.signed_by,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        self.bitmap.close()
        self._spool.close()
        self.frames.close()
        self.source.close()

    def runs(self, index: int) -> list[tuple[int, int]]:
        """The byte ranges of the target that the content of frame ``index`` fills, in order."""
        size = self.header.block_size
        first, span = self.blocks(index)
        return [(block * size, count * size) for block, count in self.bitmap.runs(first, span)]

    def blocks(self, index: int) -> tuple[int, int]:
        """The first block that frame ``index`` stands for, and how many, used or not."""
        per_region = self.frames.region_bytes // self.header.block_size
        return self.frames[index].first_block, self.frames.span(index, per_region)


def open_image(  # noqa: PLR0917 - four files, who is trusted and how far: each has its place
    manifest_bytes: bytes,
    signature: bytes | None,
    frames_path: Path,
    source: FrameSource,
    keys: Iterable[PublicKey],
    policy: Policy,
    *,
    name: str | None = None,
    at_least_version: int = 0,
    scratch: Path | None = None,
) -> OpenImage:
    """Check an image as far as it can be without its body, and open it.

    ``name`` and ``at_least_version`` are what was asked for: another name or an older version
    is refused. ``scratch`` takes the unpacked bitmap (default: the temporary folder). The
    source belongs to the result and is closed with it; on failure it stays the caller's.
    """
    local = isinstance(source, FileSource)
    vouched = vouch(
        manifest_bytes,
        signature,
        keys,
        where=source.describe(),
        allowed=policy.unsigned_local if local else policy.unsigned_remote,
        name=name,
        at_least_version=at_least_version,
    )
    return open_vouched(vouched, frames_path, source, scratch=scratch)


def open_vouched(
    vouched: Vouched,
    frames_path: Path,
    source: FrameSource,
    *,
    ends: FrameSource | None = None,
    scratch: Path | None = None,
) -> OpenImage:
    """The same of a manifest that was judged: its table, its size, its first frame.

    ``ends``: where frame 0 and the seek table are read, where that is not ``source``.
    """
    manifest, ends = vouched.manifest, ends or source
    _check_table(frames_path, manifest)
    if source.size_bytes != manifest.image_size_bytes:
        raise ImageError(
            f"The image file of {manifest.name} has {source.size_bytes} bytes, its manifest says "
            f"{manifest.image_size_bytes}: it is cut off or another version.",
            hint="Fetch or copy the image again.",
        )
    frames = FrameTable(frames_path)
    spool: BinaryIO | None = None
    try:
        first = frames.check_first(prefix_bytes(manifest.total_blocks))
        spool = spool_first_frame(ends, first, manifest.name, scratch)
        header, bitmap = _first_frame(spool, frames, manifest)
        end = frames.validate(header, bitmap)
        _check_seek_table(ends, frames, end, manifest)
    except BaseException:
        if spool is not None:
            spool.close()
        frames.close()
        raise
    return OpenImage(
        manifest, header, bitmap, frames, source, vouched.signed_by, vouched.warnings, spool
    )


def _check_table(frames_path: Path, manifest: Manifest) -> None:
    """It is the one that the manifest names; only one of the right size is worth reading."""
    try:
        right = frames_path.stat().st_size == table_bytes(manifest.frame_count)
        digest = digest_of_file(frames_path)[0] if right else b""
    except OSError as error:
        raise NotFoundError(
            f"The frame table {frames_path} cannot be read: {error.strerror}.",
            code=OgErr.IMAGEFILE,
        ) from error
    if digest != manifest.frames_digest:
        raise ImageError(
            f"The frame table of {manifest.name} is not the one its manifest names.",
            hint="Fetch or copy NAME.img, NAME.img.frames and NAME.img.json together.",
        )


def _first_frame(spool: BinaryIO, frames: FrameTable, manifest: Manifest) -> tuple[Header, Bitmap]:
    spool.seek(0)
    header = parse_header(spool.read(HEADER_BYTES))
    if header.checksum_mode != CHECKSUM_NONE or header.bitmap_mode != BITMAP_BITS:
        raise ImageError("The image's partclone header has checksums or another bitmap than bits.")
    same = (
        header.filesystem == manifest.filesystem
        and header.block_size == manifest.block_size
        and header.total_blocks == manifest.total_blocks
        and header.used_blocks == manifest.used_blocks
        and header.device_size_bytes == manifest.device_size_bytes
        and frames.region_bytes == manifest.region_bytes
        and len(frames) == manifest.frame_count
    )
    if not same:
        raise ImageError(
            f"The manifest of {manifest.name} and its partclone header contradict each other.",
            code=OgErr.IMAGEFILE,
        )
    bitmap = Bitmap(spool, HEADER_BYTES, header.total_blocks)
    try:
        bitmap.check(header.used_blocks)
    except BaseException:
        bitmap.close()
        raise
    return header, bitmap


def _check_seek_table(
    source: FrameSource, frames: FrameTable, end: int, manifest: Manifest
) -> None:
    """The rest of the file is exactly the seek table that follows from the frame table."""
    if end + seek_table_bytes(len(frames)) != manifest.image_size_bytes:
        raise ImageError(f"The image file of {manifest.name} is not as long as its frames.")
    for piece in seek_table(frames):
        if not holds(source, end, piece):
            raise ImageError(f"The seek table at the end of {manifest.name} is damaged.")
        end += len(piece)
