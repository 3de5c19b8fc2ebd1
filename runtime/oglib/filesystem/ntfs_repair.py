# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs what an interrupted ntfsresize leaves: two facts that it writes last of all.

The boot sector must name where the copy of the file table's start is now, and $Bitmap must say
which clusters files use. Both are written in the file table already, so nothing is guessed: the
volume is left as it is where a single record of the table cannot be read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.filesystem.structures import ntfs
from oglib.filesystem.structures.ntfs import DATA, Unreadable, Volume

_MIRROR, _BITMAP = 1, 6
_MIRROR_FIELD = 56  # in the boot sector: the copy's first cluster


def repair_mirror(device: Path) -> bool:
    """Let the boot sector name the copy's place; True when that was wrong."""
    with _opened(device) as (descriptor, volume):
        runs = ntfs.attribute_of(volume, _MIRROR, DATA).runs
        named = struct.unpack("<Q", volume.read_at(_MIRROR_FIELD, 8))[0]
        if not runs or not 0 < runs[0][0] < volume.clusters:
            raise Unreadable
        if named == runs[0][0]:
            return False
        _write(descriptor, _MIRROR_FIELD, struct.pack("<Q", runs[0][0]))
    return True


def repair_bitmap(device: Path) -> bool:
    """Let $Bitmap say what the file table says is used; True when that was wrong."""
    with _opened(device) as (descriptor, volume):
        bitmap = ntfs.attribute_of(volume, _BITMAP, DATA)
        if bitmap.size * 8 < volume.clusters:
            raise Unreadable
        there = ntfs.read_stream(volume, bitmap.runs, 0, bitmap.size)
        wanted = bytearray(there)
        wanted[: volume.clusters // 8] = bytes(volume.clusters // 8)
        for cluster in range(volume.clusters // 8 * 8, volume.clusters):
            wanted[cluster // 8] &= ~(1 << cluster % 8)
        for first, count in _used(volume):
            _mark(wanted, first, count)
        if wanted == there:
            return False
        _write_stream(descriptor, volume, bitmap.runs, bytes(wanted))
    return True


def _used(volume: Volume) -> Iterator[tuple[int, int]]:
    """Every stretch of clusters that a record in use names."""
    for number in range(volume.records):
        if not ntfs.in_use(volume, number):
            continue
        for _, attribute in ntfs.attributes_of(volume, number, named=True):
            for first, count in attribute.runs:
                if first < 0:
                    continue  # a hole
                if first + count > volume.clusters:
                    raise Unreadable
                yield first, count


def _mark(bitmap: bytearray, first: int, count: int) -> None:
    end = first + count
    while first < end and first % 8:
        bitmap[first // 8] |= 1 << first % 8
        first += 1
    whole = (end - first) // 8
    if whole > 0:
        bitmap[first // 8 : first // 8 + whole] = b"\xff" * whole
        first += 8 * whole
    while first < end:
        bitmap[first // 8] |= 1 << first % 8
        first += 1


def _write_stream(descriptor: int, volume: Volume, runs: ntfs.Runs, data: bytes) -> None:
    at = 0
    for first, count in runs:
        piece = data[at : at + count * volume.cluster]
        if first < 0:
            raise Unreadable
        _write(descriptor, first * volume.cluster, piece)
        at += len(piece)
    os.fsync(descriptor)


def _write(descriptor: int, offset: int, data: bytes) -> None:
    while data:
        done = os.pwrite(descriptor, data, offset)
        data, offset = data[done:], offset + done
    os.fsync(descriptor)


@contextmanager
def _opened(device: Path) -> Iterator[tuple[int, Volume]]:
    """For reading and writing; what makes no sense is Unreadable, before anything is written."""
    with device.open("r+b", buffering=0) as file:
        descriptor = file.fileno()
        try:
            yield (
                descriptor,
                ntfs.open_volume(lambda offset, size: os.pread(descriptor, size, offset)),
            )
        except (struct.error, IndexError, OverflowError) as error:
            raise Unreadable from error
