# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a disk that no filesystem holds: zeroed before a restore, written at its end.

Boot code in sector 0, what lies between the table and the first partition, the BIOS boot
partition. Never touches a table.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from oglib.disk.find import find_partition
from oglib.disk.model import MIB, Disk
from oglib.disk.starts import ESP
from oglib.disk.tables.mbr import CODE_BYTES
from oglib.errors import WriteError
from oglib.filesystem.kind import Family
from oglib.filesystem.kinds import kind_of_boot_sector
from oglib.image.format.disk_manifest import Gap
from oglib.image.reading.stretch import Raw, Stretch, pieces_of
from oglib.kernel.claim import claimed
from oglib.kernel.udev import settle


def disarm(disk: Disk, esp_starts: Collection[int], kept: Collection[int] = ()) -> None:
    """Nothing on this disk can be started from now on; what a cut restore leaves least of all.

    ``esp_starts`` are the bytes at which the new table will have an ESP: a FAT that lies there
    now may hold a loader. Anything else there stays, it may be a piece of the old table; so do
    the partitions with the numbers ``kept``, whose content is promised to stay.
    """
    places = [one for one in disk.partitions if one.type == ESP and one.number not in kept]
    sector = disk.logical_sector_bytes
    with claimed(disk.path, write=True) as device:
        # A flush after each: what was begun to be zeroed is never started.
        if disk.partitions:
            _write(device, disk, 0, bytes(CODE_BYTES))
            os.fsync(device)
        fats = [start for start in esp_starts if _is_fat(os.pread(device, sector, start))]
        for start in (*fats, *(part.start_bytes for part in places)):
            _write(device, disk, start, bytes(sector))
        os.fsync(device)
        for part in places:
            _write(device, disk, part.start_bytes, bytes(min(MIB, part.size_bytes)))
        os.fsync(device)
    settle()


def _is_fat(boot_sector: bytes) -> bool:
    kind = kind_of_boot_sector(boot_sector)
    return kind is not None and kind.family is Family.FAT


def places_of(disk: Disk, gaps: Sequence[tuple[Gap, Raw]]) -> list[tuple[int, int, Raw]]:
    """(partition or 0, byte of the disk, what an image of it has there), the boot code last."""
    code = boot_code_of(gaps)
    places: list[tuple[int, int, Raw]] = [
        (gap.part, gap.offset_bytes + _start(disk, gap.part), raw)
        for gap, raw in gaps
        if gap.part or gap.offset_bytes
    ]
    # what a tool put there while it wrote the table goes too
    return [*places, (0, 0, code.ljust(CODE_BYTES, b"\0"))]


def boot_code_of(gaps: Sequence[tuple[Gap, Raw]]) -> bytes:
    """What an image of a disk has in its first sector, as far as that is no table."""
    code = next((_held(raw) for gap, raw in gaps if gap.part == 0 == gap.offset_bytes), b"")
    return code[:CODE_BYTES]


def _held(code: Raw) -> bytes:
    return b"".join(pieces_of(code.first(CODE_BYTES) if isinstance(code, Stretch) else code))


def write_gaps(disk: Disk, gaps: Sequence[tuple[Gap, Raw]]) -> None:
    """Write what was captured, the boot code last, and read it back."""
    places = places_of(disk, gaps)
    with claimed(disk.path, write=True) as device:
        for _, offset, raw in places:
            at = offset
            for piece in pieces_of(raw):
                _write(device, disk, at, piece)
                at += len(piece)
            os.fsync(device)
        os.posix_fadvise(device, 0, 0, os.POSIX_FADV_DONTNEED)
        for _, offset, raw in places:
            if first_difference(device, offset, raw) is not None:
                raise WriteError(
                    f"{disk.describe()} does not give back what was written at byte {offset}.",
                    hint="The disk may be failing; look at the kernel's log.",
                )
    settle()


def first_difference(device: int, offset: int, raw: Raw) -> int | None:
    """The first byte of the open ``device`` that is not what ``raw`` has from ``offset`` on."""
    for piece in pieces_of(raw):
        found = os.pread(device, len(piece), offset)
        if found != piece:
            pairs = enumerate(zip(found, piece, strict=False))
            return offset + next((at for at, (one, two) in pairs if one != two), len(found))
        offset += len(piece)
    return None


def _start(disk: Disk, number: int) -> int:
    return find_partition(disk, number).start_bytes if number else 0


def _write(device: int, disk: Disk, offset: int, raw: bytes) -> None:
    try:
        while raw:
            done = os.pwrite(device, raw, offset)
            offset, raw = offset + done, raw[done:]
    except OSError as error:
        raise WriteError(
            f"Writing {disk.describe()} at byte {offset} failed: {error.strerror}."
        ) from error
