# SPDX-License-Identifier: GPL-3.0-or-later
"""What can start a disk: the one answer; what is refused because of it says ``boot.firmware``."""

from __future__ import annotations

from collections.abc import Collection

from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, TableKind
from oglib.disk.tables.mbr import CODE_BYTES
from oglib.errors import PartitionError

ESP = "EFI"  # our words for the types of partition that firmware, or a loader for it, starts from
BIOS_BOOT = "BIOS-BOOT"


def starters(
    table: TableKind, types: Collection[str], *, boot_code: bool = True
) -> frozenset[Firmware]:
    """Every firmware that finds something to start on a disk: none, one or both.

    ``types`` are those of its partitions. ``boot_code``: whether there is any in its first sector;
    where nobody looked, or it is still to be written, the table alone answers.
    """
    found = set()
    if ESP in types:
        found.add(Firmware.UEFI)
    if boot_code and (table is TableKind.MSDOS or BIOS_BOOT in types):
        found.add(Firmware.BIOS)
    return frozenset(found)


def starters_of(disk: Disk) -> frozenset[Firmware]:
    """The same of a disk that is there; its boot code is looked at."""
    types = {part.type for part in disk.partitions}
    if Firmware.BIOS not in (able := starters(disk.table, types)):
        return able
    try:
        with disk.path.open("rb", buffering=0) as device:
            code = device.read(CODE_BYTES)
    except OSError as error:
        raise PartitionError(
            f"{disk.describe()} cannot be read, so what starts it is not known: {error.strerror}."
        ) from error
    return starters(disk.table, types, boot_code=any(code))


def the_only(able: Collection[Firmware]) -> str:
    """The word for an image of such a disk: one of ``WORDS``."""
    return str(next(iter(able))) if len(able) == 1 else ""
