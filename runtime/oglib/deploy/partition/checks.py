# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be refused before a restore's first write: use, size, sectors, firmware, type, growing.

Reads and judges; writes nothing. Every use case that writes an image asks here, of the disk as it
is or as a table that is only planned will make it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

from oglib.boot import firmware
from oglib.disk import types
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import refuse_locked
from oglib.disk.model import Disk, Partition
from oglib.disk.planning.edit import with_type
from oglib.disk.planning.planned import TablePlan
from oglib.disk.remedy import remedy
from oglib.disk.writing.table import refuse_busy
from oglib.errors import FilesystemError, OgErr, PartitionError
from oglib.filesystem.kind import Grow
from oglib.image.any import Image


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asked for beside the restore itself."""

    grow: bool = False
    set_type: bool = False
    other_firmware: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """``table``: the type that has to be set, when it was asked for; and what to warn of."""

    table: TablePlan | None = None
    warnings: tuple[str, ...] = ()


def check_restorable(image: Image, disk: Disk, part: Partition, wishes: Wishes) -> Checked:
    """Raise unless ``image`` can go onto ``part`` as it was asked for; changes nothing."""
    if part.type == types.EXTENDED:
        raise PartitionError(
            f"Partition {part.number} of {disk.describe()} is extended: it holds the logical ones "
            "and nothing else.",
            hint=disk.its_partitions(),
        )
    check_size(image, f"Partition {part.number} of {disk.describe()}", part.size_bytes)
    _check_sectors(image, disk)
    if not wishes.other_firmware:
        check_firmware(image)
    if wishes.grow:
        check_growable(image)
    fitting = image.kind.types if image.kind else ()
    if not fitting or part.type in fitting:
        return Checked()
    if not wishes.set_type:
        said = (
            f"Partition {part.number} of {disk.describe()} is of type {part.type}, the image "
            f"{image.name} holds {image.filesystem}: --set-type corrects that."
        )
        return Checked(warnings=(said,))
    return Checked(table=with_type(disk, part.number, types.canonical(fitting[0], disk.table)))


def check_size(image: Image, where: str, size_bytes: int) -> None:
    """Raise when ``image`` needs more than the ``size_bytes`` that ``where`` has."""
    needed = image.required_bytes
    if size_bytes < needed:
        raise PartitionError(
            f"{where} has {size_bytes} bytes, but the image {image.name} needs {needed}.",
            hint="Use a larger partition, or shrink a copy: `og image convert --fit`.",
            code=OgErr.IMGSIZEPARTITION,
        )


def _check_sectors(image: Image, disk: Disk) -> None:
    made_on = image.sector_size
    if made_on and made_on != disk.logical_sector_bytes:
        raise PartitionError(
            f"{disk.describe()} has sectors of {disk.logical_sector_bytes} bytes, the image "
            f"{image.name} was captured from sectors of {made_on}.",
            hint="Capture an image on a disk of the same kind; contents cannot be translated.",
        )


def check_free(disk: Disk, part: Partition | None = None) -> None:
    """Raise while somebody uses, has locked or forbids to write what will be written.

    ``part`` None: all of the disk.
    """
    if part is None:
        refuse_busy(disk)
    else:
        check_unused(disk, part)
        if disk.read_only:
            raise PartitionError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)
    refuse_locked(disk, part)


def check_unused(disk: Disk, part: Partition) -> None:
    """Raise while the partition is mounted or held."""
    if part.use:
        raise PartitionError(
            f"Partition {part.number} of {disk.describe()} is in use: {'; '.join(part.use)}.",
            hint=remedy(disk),
            code=OgErr.LOCKED,
        )


def planned_view(disk: Disk, table: TablePlan) -> Disk:
    """The disk as ``table`` will make it, to ask of it what is asked of one that is there."""
    sector = table.sector_bytes
    return replace(
        disk,
        table=table.table,
        partitions=tuple(
            Partition(
                number=part.number,
                start_bytes=part.start_sector * sector,
                size_bytes=part.size_sectors * sector,
                type=part.type,
                type_id=part.type_id,
            )
            for part in table.partitions
        ),
    )


def check_firmware(image: Image) -> None:
    """Refuse the system of a BIOS PC on one with UEFI, and the reverse: it would not start."""
    if not image.firmware:
        return
    firmware.check(
        {Firmware(image.firmware)},
        running_firmware(),
        lambda theirs, here: (
            f"The image {image.name} was captured from a PC that starts by {theirs}; "
            f"this one starts by {here}."
        ),
        hint="`og deploy` makes a Linux start here; --other-firmware restores it all the same.",
    )


def check_growable(image: Image) -> None:
    """Refuse to promise a growing that cannot be done here."""
    kind = image.kind
    if kind is None or kind.grow is Grow.NEVER:
        raise FilesystemError(
            f"The image {image.name} holds {image.filesystem or 'no filesystem we know'}, "
            "which cannot be grown.",
            hint="Restore it without --grow, to a partition of its own size.",
            code=OgErr.EXTENDFS,
        )
    if shutil.which(kind.grow.tool) is None:
        raise FilesystemError(
            f"{kind.name} is grown with {kind.grow.tool}, which is not installed here.",
            code=OgErr.EXTENDFS,
        )
