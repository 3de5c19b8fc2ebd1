# SPDX-License-Identifier: GPL-3.0-or-later
"""The sectors of an image's table beside what the image says of its partitions.

They are written as they are, so they are believed only where both say the same: whoever put
other sectors into an image would have other partitions written than were shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from oglib import limits
from oglib.deploy.whole_disk.sizing import ImagedDisk
from oglib.disk.model import Disk, TableKind
from oglib.disk.tables import gpt, mbr
from oglib.disk.tables.exact import Exact, Stretch, exact_of, read_exact
from oglib.image.format.disk_manifest import Content

_FOLDER_SECTOR = 512  # Clonezilla's dd counts in these, whatever the disk's are
_DISK_ID_AT = slice(440, 444)
# number -> first sector, sectors, type, and of a GPT PARTUUID and attributes
_Rows = dict[int, tuple[object, ...]]


def with_exact(imaged: ImagedDisk, stretches: Sequence[Stretch], size_bytes: int = 0) -> ImagedDisk:
    """``imaged`` with its sectors; ValueError, in words, where they are of another table.

    ``size_bytes``: of the disk they are of, where that is known better than ``imaged`` knows it.
    """
    exact = exact_of(stretches, imaged.table, size_bytes or imaged.size_bytes, imaged.sector_bytes)
    if (difference := _difference(imaged, exact)) is not None:
        raise ValueError(difference)
    return replace(imaged, size_bytes=exact.size_bytes, exact=exact)


def with_sectors_of_folder(
    imaged: ImagedDisk, sectors: Sequence[Stretch], drafted: Disk
) -> ImagedDisk:
    """``imaged`` with the sectors that a foreign folder holds, where they are of the same table.

    A negative byte counts from the end of the disk, whose size the GPT itself tells. What the
    folder lacks (the tables of logical partitions) is as it is on ``drafted``. Nothing of it is
    needed: sectors that are of another table, or torn, are left.
    """
    size, sector = imaged.size_bytes, imaged.sector_bytes
    if sector != _FOLDER_SECTOR or not any(raw for _, raw in sectors):
        return imaged
    first = next((raw for at, raw in sectors if at == 0), b"")
    try:
        if imaged.table is TableKind.GPT:
            copy = gpt.read_copy(lambda at, size: first[at : at + size], 1, limits.SECTORS, sector)
            if isinstance(copy, str):
                return imaged
            size = (copy.other + 1) * sector
            return with_exact(imaged, [(at % size, raw) for at, raw in sectors], size)
        made = read_exact(_reader(drafted), imaged.table, size, sector)
        found = with_exact(imaged, [*made.stretches, (0, first[:sector])])
        made_here = tuple(at * sector for at in made.chain)
        return replace(found, exact=found.exact and replace(found.exact, drafted=made_here))
    except ValueError:
        return imaged


def _reader(disk: Disk) -> mbr.Read:
    def read(offset: int, length: int) -> bytes:
        with disk.path.open("rb", buffering=0) as device:
            return os.pread(device.fileno(), length, offset)

    return read


def _difference(imaged: ImagedDisk, exact: Exact) -> str | None:
    said = imaged.disk_id
    if exact.copy is not None:
        found, rows = exact.copy.guid, _gpt_rows(exact)
    else:
        number = int.from_bytes(exact.first[_DISK_ID_AT], "little")
        found, rows = f"{number:08x}", dict(_msdos_rows(exact))
    if found != said:
        return f"its disk has the id {found}, not {said}"
    described = _described(imaged)
    for number in sorted({*rows, *described}):
        if rows.get(number) != described.get(number):
            return f"its partition {number} is {rows.get(number)}, not {described.get(number)}"
    return None


def _described(imaged: ImagedDisk) -> _Rows:
    sector, gpt = imaged.sector_bytes, imaged.table is TableKind.GPT
    found: _Rows = {}
    for part in imaged.parts:
        # three types of an extended partition mean the same
        kind = "extended" if part.content is Content.EXTENDED else part.type_id
        row: tuple[object, ...] = (part.start_bytes // sector, part.size_bytes // sector, kind)
        found[part.number] = (*row, part.partuuid, part.attributes) if gpt else row
    return found


def _gpt_rows(exact: Exact) -> _Rows:
    copy = exact.copy
    if copy is None:
        return {}
    kinds, marks = copy.types, copy.marks
    return {
        one.number: (
            one.first,
            one.last - one.first + 1,
            kinds[one.number],
            marks[one.number].guid,
            marks[one.number].attributes,
        )
        for one in copy.entries
    }


def _msdos_rows(exact: Exact) -> Iterator[tuple[int, tuple[object, ...]]]:
    for number, row in enumerate(mbr.rows(exact.first), start=1):
        if row.used:
            yield number, (row.start, row.length, _kind(row))
    number = 5
    for at in exact.chain:
        sector = exact.read(at * exact.sector_bytes, mbr.MBR_BYTES)
        own = [row for row in mbr.rows(sector) if row.used and row.kind not in mbr.EXTENDED]
        for row in own[:1]:
            yield number, (at + row.start, row.length, _kind(row))
            number += 1


def _kind(row: mbr.Row) -> str:
    return "extended" if row.kind in mbr.EXTENDED else f"{row.kind:02x}"
