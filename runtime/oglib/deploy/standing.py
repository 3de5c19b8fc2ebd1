# SPDX-License-Identifier: GPL-3.0-or-later
"""Which systems stand on this PC's disks, and of which image where that is known; reads only.

An image leaves no name on the disk it is restored to, and what a person installed has none: so an
image is known by the receipts of this boot alone, and later the system's own name is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oglib.deploy.receipts import restored
from oglib.disk.model import Disk, Partition
from oglib.disk.probe import list_disks
from oglib.errors import OgError
from oglib.filesystem.kinds import kind_probed
from oglib.inventory.installed import system_of


@dataclass(frozen=True, slots=True)
class Standing:
    """``system``: ``IMAGE@VERSION`` or the system's own name; None: nobody can see what is there,
    because its files cannot be read, or are encrypted."""

    disk: int
    partition: int
    system: str | None


def standing_systems() -> tuple[Standing, ...]:
    """All of them, in the order of disks and partitions; loaders are none."""
    images = restored()
    return tuple(
        found
        for disk in list_disks()
        for part in disk.partitions
        for found in _standing(disk, part, images)
    )


def _standing(disk: Disk, part: Partition, images: Mapping[str, str]) -> Iterator[Standing]:
    kind = kind_probed(part.filesystem)
    if kind is not None and kind.encrypted:
        yield Standing(disk.number, part.number, None)
        return
    try:
        system = system_of(disk, part)
    except OgError:
        yield Standing(disk.number, part.number, None)
        return
    if system is None or system.is_loader:
        return
    image = images.get(str(part.path or disk.called(part)))
    yield Standing(disk.number, part.number, image or system.description)
