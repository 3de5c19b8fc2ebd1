# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving a foreign image without writing: to its end, by its own checksums, or on a target."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from blake3 import blake3

from oglib.errors import OgErr, WriteError
from oglib.image.ordered import in_order, worker_count
from oglib.image.reading.formats.model import Region, StreamImage
from oglib.image.writing.readback import TargetHasher
from oglib.image.writing.target import check_capacity, open_target
from oglib.progress import Progress


class DiffersError(WriteError):
    """A target is not what the image says: in how many regions, and the byte near the first."""

    code = OgErr.DONTSYNC_IMAGE

    def __init__(self, target: Path, name: str, different: int, regions: int, first: int) -> None:
        self.different = different
        self.regions = regions
        self.first_byte = first
        super().__init__(
            f"{target} differs from the image {name} in {different} of {regions} regions, "
            f"first near byte {first}.",
            hint="A system that has run, or was configured, differs; restore it to undo that.",
        )


def verify_stream(
    image: StreamImage, target: Path | None, *, progress: Progress, workers: int | None
) -> tuple[int, int]:
    """Read ``image`` to its end; returns its regions and bytes of content.

    ``ImageError`` where the image is damaged; with a target, ``WriteError`` where that differs.
    """
    with progress.phase("verify", image.content_bytes) as phase:
        if target is not None:
            return _compare(image, target, phase.advance, workers)
        regions = content = 0
        for region in image.regions():
            length = _length(region)
            regions, content = regions + 1, content + length
            phase.advance(length)
        return regions, content


def _length(region: Region) -> int:
    return sum(length for _, length in region.runs)


def _compare(
    image: StreamImage, target: Path, advance: Callable[[int], None], workers: int | None
) -> tuple[int, int]:
    regions = content = different = first = 0
    needed = image.info.required_bytes
    count = worker_count(workers, 4 * image.region_bytes)
    with open_target(target, write=False) as opened:
        check_capacity(opened, needed, image.sector_size or opened.sector_size, image.name)
        with TargetHasher(opened, image.region_bytes) as hasher:

            def holds(region: Region) -> tuple[Region, bool]:
                digest = blake3()
                for view in region.views:
                    digest.update(view)
                return region, hasher.holds(region.runs, digest.digest())

            with closing(in_order(holds, image.regions(), count)) as results:
                for region, same in results:
                    length = _length(region)
                    regions, content = regions + 1, content + length
                    advance(length)
                    if not same:
                        first = first if different else region.number * image.region_bytes
                        different += 1
    if different:
        raise DiffersError(target, image.name, different, regions, first)
    return regions, content
