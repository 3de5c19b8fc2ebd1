# SPDX-License-Identifier: GPL-3.0-or-later
"""Put an image back onto a partition or a file; prove an image, or a target against it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from oglib.deploy import receipts, source
from oglib.deploy.restorable import Wishes, check_growable, check_restorable
from oglib.disk.find import find_disk, find_partition
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.table import apply_table
from oglib.filesystem.resize import grow_filesystem
from oglib.image import (
    Receipt,
    Verified,
    restore,
    verify,
)
from oglib.image.foreign import Image
from oglib.progress import Progress
from oglib.settings import Settings


def put_back(
    image: str,
    disk_spec: str,
    part_spec: str | None,
    *,
    read_back: bool,
    delta: bool,
    settings: Settings,
    progress: Progress,
    wishes: Wishes | None = None,
) -> Receipt:
    """Restore an image to a partition, or to a file or device named alone."""
    wishes = wishes or Wishes()
    with source.opened(image, settings) as opened:
        order = _Order(opened, read_back, delta, wishes, progress)
        if part_spec is None:
            check_growable(opened, wishes)
            return order.run(Path(disk_spec), ())
        disk = find_disk(disk_spec, rules=settings.disk_rules)
        part = find_partition(disk, part_spec)
        checked = check_restorable(opened, disk, part, wishes)
        with held(disk, part):
            after: tuple[str, ...] = ()
            if checked.table is not None:
                after = checked.table.changes
                disk = apply_table(checked.table)
                part = find_partition(disk, part.number)
            with partition_device(disk, part) as device:
                return order.run(device, after, checked.warnings)


@dataclass(frozen=True, slots=True)
class _Order:
    """A restore as it was asked for, whatever it goes to."""

    image: Image
    read_back: bool
    delta: bool
    wishes: Wishes
    progress: Progress

    def run(self, device: Path, before: tuple[str, ...], warnings: tuple[str, ...] = ()) -> Receipt:
        """Restore and grow; the receipt is kept even when growing fails."""
        receipt = restore(
            self.image, device, progress=self.progress, verify=self.read_back, delta=self.delta
        )
        receipt = replace(receipt, after=before, warnings=(*receipt.warnings, *warnings))
        try:
            if self.wishes.grow and grow_filesystem(device):
                receipt = replace(receipt, after=(*before, "the filesystem fills its partition"))
        finally:
            receipts.keep(receipt)
        return receipt


def prove(
    image: str,
    disk_spec: str | None,
    part_spec: str | None,
    *,
    settings: Settings,
    progress: Progress,
) -> Verified:
    """Check an image against its digests or, with a target, the target against the image."""
    with source.opened(image, settings) as opened:
        if disk_spec is None:
            return verify(opened, progress=progress)
        if part_spec is None:
            return verify(opened, Path(disk_spec), progress=progress)
        disk = find_disk(disk_spec, rules=settings.disk_rules)
        with partition_device(disk, find_partition(disk, part_spec)) as device:
            return verify(opened, device, progress=progress)
