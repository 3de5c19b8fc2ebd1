# SPDX-License-Identifier: GPL-3.0-or-later
"""Any image, ours or foreign, asked the same questions: its name, its size, what to warn of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from oglib.image.format import OpenImage
from oglib.image.formats.model import ImageInfo, OwnInfo, Region, StreamImage

Image = OpenImage | StreamImage


@dataclass(frozen=True, slots=True)
class ForeignImage:
    """A foreign image as it was opened: with where it comes from, and what to warn of.

    ``where`` is for messages and receipts; ``stored_bytes`` is the size of its files.
    ``measured_bytes``: what a target must have where only reading all of it has told.
    """

    stream: StreamImage
    where: str
    stored_bytes: int
    doubts: tuple[str, ...] = ()
    measured_bytes: int = 0

    @property
    def name(self) -> str:
        return self.stream.name

    @property
    def info(self) -> ImageInfo:
        info = self.stream.info
        needed = info.required_bytes or self.measured_bytes
        return info if needed == info.required_bytes else replace(info, required_bytes=needed)

    @property
    def sector_size(self) -> int:
        return self.stream.sector_size

    @property
    def region_bytes(self) -> int:
        return self.stream.region_bytes

    @property
    def content_bytes(self) -> int:
        return self.stream.content_bytes

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.doubts, *self.stream.warnings)

    def regions(self) -> Iterator[Region]:
        return self.stream.regions()

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        return self.stream.used_ranges()

    def close(self) -> None:
        self.stream.close()


def name_of(image: Image) -> str:
    """What the image is called."""
    return image.manifest.name if isinstance(image, OpenImage) else image.name


def version_of(image: Image) -> int:
    """Its version in the repository; 0 where there is none."""
    return image.manifest.version if isinstance(image, OpenImage) else 0


def titled(image: Image) -> str:
    """``NAME version 3``, or the name alone where no repository counts versions."""
    return named(name_of(image), version_of(image))


def named(name: str, version: int) -> str:
    """The same of a name and a version; 0: it has none."""
    return f"{name} version {version}" if version else name


def required_bytes_of(image: Image) -> int:
    """What a target must have; 0 where only reading the whole image would tell."""
    if isinstance(image, OpenImage):
        return image.manifest.device_size_bytes
    return image.info.required_bytes


def sector_size_of(image: Image) -> int:
    """The sector size of the disk it was made on; 0 where it is not known."""
    if isinstance(image, OpenImage):
        return image.manifest.sector_size
    return image.sector_size


def filesystem_of(image: Image) -> str:
    """partclone's word for its filesystem, in capitals; empty where it is not known."""
    if isinstance(image, OpenImage):
        return image.manifest.filesystem.upper()
    return image.info.filesystem.upper()


def where_of(image: Image) -> str:
    """Where its bytes come from."""
    if isinstance(image, OpenImage):
        return image.source.describe()
    return image.where if isinstance(image, ForeignImage) else image.name


def warnings_of(image: Image) -> tuple[str, ...]:
    """What a person should know before it is used."""
    return image.warnings


def info_of(image: Image) -> ImageInfo:
    """The answer of ``og image info``; an ``OwnInfo`` where it is an image of our own."""
    if not isinstance(image, OpenImage):
        return image.info
    manifest = image.manifest
    return OwnInfo(
        tool="partclone",
        compressor="zstd",
        filesystem=manifest.filesystem,
        block_size=manifest.block_size,
        total_blocks=manifest.total_blocks,
        used_blocks=manifest.used_blocks,
        required_bytes=manifest.device_size_bytes,
        frames=manifest.frame_count,
        signed=bool(image.signed_by),
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        comment=manifest.comment,
        os=manifest.source.os,
        hostname=manifest.source.hostname,
        created=manifest.created,
        signed_by=image.signed_by,
    )
