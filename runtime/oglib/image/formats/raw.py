# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw copies (dd, partclone.dd): every byte of a partition or a disk, and nothing around them."""

from __future__ import annotations

from collections.abc import Iterator

from oglib.image.formats.base import Opened, Stream
from oglib.image.formats.content import Content
from oglib.image.formats.model import ImageInfo, Region
from oglib.image.formats.reader import Reader

_SECTOR = 512


class Raw(Stream):
    """A raw copy; how long it is tells the file, or only its end when it is compressed."""

    def __init__(self, opened: Opened, content: Content) -> None:
        packed = opened.reader.compressor != "none"
        size = 0 if packed else opened.source.size_bytes
        sectors = -(-size // _SECTOR)
        info = ImageInfo(
            tool="disk" if content.table else "raw", compressor=opened.reader.compressor,
            filesystem=content.filesystem, block_size=_SECTOR, total_blocks=sectors,
            used_blocks=sectors, required_bytes=size, volumes=opened.volumes,
        )  # fmt: skip
        super().__init__(opened, info, content_bytes=size, sector_size=content.sector_size)

    def _regions(self, reader: Reader) -> Iterator[Region]:
        number = 0
        while views := reader.take_up_to(self.region_bytes):
            length = sum(len(view) for view in views)
            yield Region(number, [(number * self.region_bytes, length)], list(views))
            number += 1

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        return iter([(0, self.content_bytes)]) if self.content_bytes else None
