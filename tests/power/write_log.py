# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a log of block writes in the format of dm-log-writes; knows no disk and no process.

Format: the kernel's Documentation/admin-guide/device-mapper/log-writes.rst and the structures
at the head of drivers/md/dm-log-writes.c. All numbers are little-endian. Sector 0 holds the
super block, then each entry takes one sector and, unless it is a discard, its data follow.
QEMU's blklogwrites writes the same; it counts an entry in the super block once a flush has
completed behind it, and never sets FUA (the block layer made a flush of it before).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_MAGIC = 0x6A736677736872
_VERSION = 1
_SUPER = struct.Struct("<QQQI")  # magic, version, nr_entries, sectorsize
_ENTRY = struct.Struct("<QQQQ")  # sector, nr_sectors, flags, data_len

FLUSH = 1
FUA = 2
DISCARD = 4
MARK = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as the disk saw it. ``data_at``: where its bytes begin in the log file."""

    at_bytes: int
    size_bytes: int
    flags: int
    data_at: int

    @property
    def is_flush(self) -> bool:
        return bool(self.flags & FLUSH)

    @property
    def is_discard(self) -> bool:
        return bool(self.flags & DISCARD)

    @property
    def is_durable(self) -> bool:
        """Written past the disk's cache (FUA): there as soon as it completed."""
        return bool(self.flags & FUA)

    @property
    def changes(self) -> bool:
        """Whether it changes bytes of the disk."""
        return self.size_bytes > 0 and not self.flags & MARK


@dataclass(frozen=True, slots=True)
class WriteLog:
    """All entries of a log file, in the order in which they completed."""

    path: Path
    sector_bytes: int
    entries: tuple[Entry, ...]


def entry_count(path: Path) -> int:
    """How many entries a flush has made lasting so far; a log being written may be asked."""
    with path.open("rb") as file:
        head = file.read(_SUPER.size)
    return _super(head, path)[0] if head.strip(b"\0") else 0


def read_log(path: Path) -> WriteLog:
    """The log in ``path``; raises ValueError when it is none."""
    with path.open("rb") as file:
        count, sector = _super(file.read(_SUPER.size), path)
        entries = []
        at = sector
        for _ in range(count):
            file.seek(at)
            first, length, flags, data_len = _ENTRY.unpack(file.read(_ENTRY.size))
            entries.append(Entry(first * sector, length * sector, flags, at + sector))
            at += sector
            if flags & MARK:
                at += -(-data_len // sector) * sector
            elif not flags & DISCARD:
                at += length * sector
    return WriteLog(path, sector, tuple(entries))


def _super(head: bytes, path: Path) -> tuple[int, int]:
    if len(head) < _SUPER.size:
        raise ValueError(f"{path} is too short for a write log")
    magic, version, count, sector = _SUPER.unpack(head)
    if (magic, version) != (_MAGIC, _VERSION):
        raise ValueError(f"{path} is no write log: magic {magic:#x}, version {version}")
    return count, sector
