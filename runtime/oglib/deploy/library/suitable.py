# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images of the repository fit which partitions of a disk. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oglib.disk import types
from oglib.disk.find import find_disk, find_partition
from oglib.disk.model import Disk, Partition
from oglib.filesystem.kind import Shrink
from oglib.filesystem.kinds import kind_in_image
from oglib.image.format.manifest import Manifest
from oglib.settings import Settings
from oglib.transfer.repository import ListedImage, RepositoryClient
from oglib.wording.amounts import human_bytes


@dataclass(frozen=True, slots=True)
class Suitability:
    """One image: the numbers of the partitions that can take it, and the same in words."""

    name: str
    filesystem: str
    required_bytes: int
    partitions: tuple[int, ...]
    text: str


def suitable_images(
    disk_spec: str, part_spec: str | None, settings: Settings
) -> tuple[Suitability, ...]:
    """Every image of this PC's repository against a partition, or all of a disk's."""
    disk = find_disk(disk_spec, rules=settings.disk_rules)
    parts: Sequence[Partition] = [find_partition(disk, part_spec)] if part_spec else disk.partitions
    parts = [part for part in parts if part.type != types.EXTENDED]
    with RepositoryClient(settings.repository_url(), connection=settings.connection) as repository:
        return tuple(
            suitability_of(image, _sector_size(repository, image), disk, parts)
            for image in repository.listing()
        )


def _sector_size(repository: RepositoryClient, image: ListedImage) -> int:
    """As its manifest says; nothing is decided by it, so no signature is asked for."""
    return Manifest.from_bytes(repository.fetch_manifest(image.name)).sector_size


def suitability_of(
    image: ListedImage, sector_size: int, disk: Disk, parts: Sequence[Partition]
) -> Suitability:
    """Which of ``parts`` can take ``image``, captured from sectors of ``sector_size`` bytes."""
    largest = max((part.size_bytes for part in parts), default=0)
    room = tuple(part.number for part in parts if part.size_bytes >= image.required_bytes)
    if sector_size != disk.logical_sector_bytes:
        room = ()
        text = f"needs sectors of {sector_size} bytes, here are {disk.logical_sector_bytes}"
    elif room:
        text = f"fits {'partition' if len(room) == 1 else 'partitions'} "
        text += ", ".join(str(number) for number in room)
    else:
        text = f"too large by {human_bytes(image.required_bytes - largest)}"
        kind = kind_in_image(image.filesystem)
        if largest and kind and kind.shrink is not Shrink.NEVER:
            text += f"; `og image convert {image.name} --fit {largest}` may shrink it"
    return Suitability(image.name, image.filesystem, image.required_bytes, room, text)
