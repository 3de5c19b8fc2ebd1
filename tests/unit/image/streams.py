# SPDX-License-Identifier: GPL-3.0-or-later
"""A foreign image as the readers hand it over, made from a synthetic partition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from oglib.image.reading.formats.model import Buffer, FromHeader, ImageInfo, Region
from unit.image.synthetic import Partition


@dataclass
class PartitionStream(FromHeader):
    """``on_region`` sees the number of each region before it is given; it may raise."""

    source: Partition
    tool: str = "partclone"
    known_size: bool = True
    sector_size: int = 0
    region_bytes: int = 1 << 20
    on_region: Callable[[int], None] = lambda _number: None
    started: int = 0
    name: str = "x"
    warnings: tuple[str, ...] = field(default=())

    @property
    def info(self) -> ImageInfo:
        return ImageInfo(
            tool=self.tool,
            compressor="lzop",
            filesystem=self.source.filesystem.decode().lower(),
            block_size=self.source.block_size,
            total_blocks=len(self.source.used),
            used_blocks=len(self.source.blocks),
            required_bytes=self.source.device_size if self.known_size else 0,
        )

    @property
    def content_bytes(self) -> int:
        return len(self.source.blocks) * self.source.block_size

    def used_ranges(self) -> Iterator[tuple[int, int]] | None:
        return None

    def regions(self) -> Iterator[Region]:
        self.started += 1
        size = self.source.block_size
        per_region = self.region_bytes // size
        for number in range(-(-len(self.source.used) // per_region)):
            blocks = [
                block
                for block in range(number * per_region, (number + 1) * per_region)
                if block in self.source.blocks
            ]
            if not blocks:
                continue
            self.on_region(number)
            runs: list[tuple[int, int]] = []
            for block in blocks:
                if runs and sum(runs[-1]) == block * size:
                    runs[-1] = (runs[-1][0], runs[-1][1] + size)
                else:
                    runs.append((block * size, size))
            content = memoryview(b"".join(self.source.blocks[block] for block in blocks))
            # cut where nothing begins or ends, as a decompressor does
            step = 100_003
            views: list[Buffer] = [content[at : at + step] for at in range(0, len(content), step)]
            yield Region(number, runs, views)

    def close(self) -> None:
        pass
