# SPDX-License-Identifier: GPL-3.0-or-later
"""What the writer must know of an image, whatever its format: sizes, filesystem, regions.

Pure data. Where the content comes from, and what its digests are, is the front ends' business.
"""

from __future__ import annotations

from dataclasses import dataclass

from oglib.image.reading.formats.model import StreamImage
from oglib.image.reading.opened import OpenImage


@dataclass(frozen=True, slots=True)
class Shape:
    """``device_size_bytes`` is what a target must have; regions are aligned to their size.

    ``filesystem`` is partclone's word; for content that is not known by name (``raw``, a whole
    disk) it is empty. ``stored_bytes`` is how far into the target the image's blocks reach.
    """

    name: str
    filesystem: str
    device_size_bytes: int
    stored_bytes: int
    sector_size: int
    region_bytes: int


def shape_of(image: OpenImage) -> Shape:
    """The shape of an image in our own format."""
    manifest = image.manifest
    return Shape(
        name=manifest.name,
        filesystem=_named(manifest.filesystem),
        device_size_bytes=manifest.device_size_bytes,
        stored_bytes=manifest.total_blocks * manifest.block_size,
        sector_size=manifest.sector_size,
        region_bytes=image.frames.region_bytes,
    )


def shape_of_stream(image: StreamImage, device_size_bytes: int, sector_size: int) -> Shape:
    """The shape of a foreign image on a target with sectors of ``sector_size`` bytes."""
    info = image.info
    return Shape(
        name=image.name,
        filesystem="" if info.tool in ("raw", "disk") else _named(info.filesystem),
        device_size_bytes=device_size_bytes,
        stored_bytes=info.total_blocks * info.block_size,
        sector_size=image.sector_size or sector_size,
        region_bytes=image.region_bytes,
    )


def _named(filesystem: str) -> str:
    word = filesystem.upper()
    return "" if word == "RAW" else word
