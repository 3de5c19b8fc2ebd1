# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw copies (dd, partclone.dd): every byte of a partition or a disk, and nothing around them."""

from __future__ import annotations

from collections.abc import Iterator

from oglib.errors import ImageError
from oglib.filesystem.kinds import HEAD_BYTES
from oglib.image.reading.formats.base import Opened, Stream
from oglib.image.reading.formats.content import Content
from oglib.image.reading.formats.length import said_bytes
from oglib.image.reading.formats.model import ImageInfo, Region
from oglib.image.reading.formats.reader import Reader

_SECTOR = 512


class Raw(Stream):
    """A raw copy; how long it is tells the file, or only its end when it is compressed.

    What it holds says how long it should be: one that ends before is refused, when it is opened
    or, compressed, at its end.
    """

    def __init__(self, opened: Opened, content: Content) -> None:
        self._content = content
        self._says = said_bytes(opened.reader.peek(HEAD_BYTES), content)
        packed = opened.reader.compressor != "none"
        size = 0 if packed else opened.source.size_bytes
        if not packed and size < self._says:
            raise self._cut(opened.name, size)
        sectors = -(-size // _SECTOR)
        info = ImageInfo(
            tool="disk" if content.table else "raw", compressor=opened.reader.compressor,
            filesystem=content.filesystem, block_size=_SECTOR, total_blocks=sectors,
            used_blocks=sectors, required_bytes=size, volumes=opened.volumes,
        )  # fmt: skip
        super().__init__(opened, info, content_bytes=size, sector_size=content.sector_size)

    def _regions(self, reader: Reader) -> Iterator[Region]:
        number = end = 0
        while views := reader.take_up_to(self.region_bytes):
            length = sum(len(view) for view in views)
            yield Region(number, [(end, length)], list(views))
            number, end = number + 1, end + length
        if end < self._says:
            raise self._cut(self.name, end)

    def _cut(self, name: str, size: int) -> ImageError:
        what = "partition table" if self._content.table else self._content.filesystem
        return ImageError(
            f"{name} is cut off: it ends at byte {size}, but by the {what} in it there are "
            f"{self._says} bytes.",
            hint="Copy it again, with all its volumes.",
        )

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        return iter([(0, self.content_bytes)]) if self.content_bytes else None
