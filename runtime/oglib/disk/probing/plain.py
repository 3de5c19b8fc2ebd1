# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound partition table told by its own bytes: no program is started, no filesystem looked at.

Only what all tools read alike: a GPT of two equal copies behind a protective MBR, an msdos table of
partitions that lie beside each other. Anything else (damage, a hybrid, a filesystem's header in
front, nothing at all) is no plain table, and the tools are asked (``virtual.read_table``).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oglib.disk import types
from oglib.disk.model import PRIMARY_SLOTS, Disk, Partition, TableKind
from oglib.disk.probing.instead import instead_of_disks
from oglib.disk.tables import mbr
from oglib.disk.tables.boot_sector import has_partitions, header_of
from oglib.disk.tables.damage import Examined, examine_bytes

_DISK_ID_AT = slice(440, 444)
_ACTIVE = 0x80
_SECTOR_BYTES = 512  # of a file

PlainTable = tuple[TableKind, tuple[Partition, ...]]


def table_of_file(number: int) -> Disk | None:
    """Disk ``number`` where a file stands for it (``OG_DISKS``), with its table and nothing else.

    None where it is no file, or its table is not plain: ``list_disks`` tells of all others.
    """
    instead = instead_of_disks()
    if not 1 <= number <= len(instead):
        return None
    path = instead[number - 1]
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(file)
        found = _read(file, status.st_size, _SECTOR_BYTES) if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None
    finally:
        os.close(file)
    return Disk(number, path, status.st_size, *found) if found else None


def tables_of_files() -> tuple[Disk, ...]:
    """The same for all disks; () unless each of them is such a file."""
    found = [table_of_file(number) for number in range(1, len(instead_of_disks()) + 1)]
    there = tuple(disk for disk in found if disk is not None)
    return there if len(there) == len(found) else ()


def plain_table(path: Path, sector_bytes: int) -> PlainTable | None:
    """The kind and the partitions of a plain table; None where it is none, or cannot be read."""
    try:
        with path.open("rb", buffering=0) as device:
            return _read(device.fileno(), device.seek(0, os.SEEK_END), sector_bytes)
    except OSError:
        return None


def _read(device: int, size_bytes: int, sector_bytes: int) -> PlainTable | None:
    def read(offset: int, length: int) -> bytes:
        return os.pread(device, length, offset)

    first = read(0, mbr.MBR_BYTES)
    if not has_partitions(first) or header_of(first):
        return None
    examined = examine_bytes(read, size_bytes, sector_bytes)
    if examined.damage or examined.hybrid:
        return None
    if any(row.used and row.kind == mbr.PROTECTIVE for row in mbr.rows(first)):
        return _gpt(examined, sector_bytes)
    return _msdos(read, first, sector_bytes)


def _gpt(examined: Examined, sector_bytes: int) -> PlainTable | None:
    copy = examined.copy
    if copy is None:
        return None
    names, kinds, marks = copy.names, copy.types, copy.marks
    return TableKind.GPT, tuple(
        Partition(
            number=entry.number,
            start_bytes=entry.first * sector_bytes,
            size_bytes=(entry.last - entry.first + 1) * sector_bytes,
            type=types.mnemonic(kinds[entry.number], TableKind.GPT, name=names[entry.number]),
            type_id=kinds[entry.number],
            name=names[entry.number],
            partuuid=marks[entry.number].guid,
        )
        for entry in copy.entries
    )


def _msdos(read: mbr.Read, first: bytes, sector_bytes: int) -> PlainTable | None:
    found = [
        (number, row.start, row) for number, row in enumerate(mbr.rows(first), start=1) if row.used
    ]
    if (extended := mbr.extended_of(first)) is not None:
        tables = mbr.chain(read, extended, sector_bytes).tables
        for number, (at, rows) in enumerate(tables, start=PRIMARY_SLOTS + 1):
            own = [row for row in rows if row.used and row.kind not in mbr.EXTENDED]
            if not own and len(tables) == 1:
                break
            if len(own) != 1:
                return None  # tools number what follows an empty table in their own ways
            found.append((number, at + own[0].start, own[0]))
    disk_id = first[_DISK_ID_AT][::-1].hex()
    return TableKind.MSDOS, tuple(
        Partition(
            number=number,
            start_bytes=start * sector_bytes,
            size_bytes=row.length * sector_bytes,
            type=types.mnemonic(f"{row.kind:02x}", TableKind.MSDOS),
            type_id=f"{row.kind:02x}",
            partuuid=f"{disk_id}-{number:02x}",
            active=row.boot == _ACTIVE,
        )
        for number, start, row in found
    )
