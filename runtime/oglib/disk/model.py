# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk is to ogLive: values without behaviour that touches the machine.

Owns the shapes that probing returns and planning reads. Must not read or write any device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from oglib.wording.amounts import human_bytes

MIB = 1024 * 1024
PRIMARY_SLOTS = 4  # of an msdos table


class TableKind(StrEnum):
    """Kinds of partition table, in the words of parted; ``none``: no table that we know."""

    GPT = "gpt"
    MSDOS = "msdos"
    LVM = "lvm"
    ZPOOL = "zpool"
    NONE = "none"


class DiskKind(StrEnum):
    """What counts as a disk: hardware, or what the kernel makes of several."""

    DISK = "disk"
    MULTIPATH = "multipath"
    MD = "md"
    LVM = "lvm"
    ZPOOL = "zpool"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as found. ``path`` is None where the kernel has no node for it (a file)."""

    number: int
    start_bytes: int
    size_bytes: int
    type: str
    type_id: str
    path: Path | None = None
    name: str = ""
    partuuid: str = ""
    active: bool = False
    filesystem: str = ""
    label: str = ""
    uuid: str = ""
    mountpoints: tuple[str, ...] = ()
    use: tuple[str, ...] = ()

    @property
    def end_bytes(self) -> int:
        """The first byte behind the partition."""
        return self.start_bytes + self.size_bytes


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk as found. ``number`` is OpenGnsys' (order of major:minor), 0 for a plain file.

    ``serial``: of a volume group or an array its UUID. ``members``: the disks or partitions under
    a multipath map, array or volume group. ``damage``: what is wrong with its partition table, a
    sentence each; such a table is shown and not edited. ``entries_bytes``: the room that the
    entries of its GPT take where it is more than the usual. ``hybrid``: (start, size) in bytes of
    the partitions that its MBR names beside its GPT.
    """

    number: int
    path: Path
    size_bytes: int
    table: TableKind
    partitions: tuple[Partition, ...] = ()
    logical_sector_bytes: int = 512
    physical_sector_bytes: int = 512
    model: str = ""
    serial: str = ""
    wwn: str = ""
    transport: str = ""
    removable: bool = False
    read_only: bool = False
    filesystem: str = ""
    label: str = ""
    uuid: str = ""
    use: tuple[str, ...] = ()
    kind: DiskKind = DiskKind.DISK
    members: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    entries_bytes: int = 0
    hybrid: tuple[tuple[int, int], ...] = ()

    @property
    def in_use(self) -> tuple[str, ...]:
        """Why the disk may not be changed now, in words; empty when nobody uses it."""
        return self.use + tuple(
            f"partition {part.number}: {use}" for part in self.partitions for use in part.use
        )

    @property
    def stable(self) -> str:
        """What this disk is called wherever it is plugged in: serial, else WWN; may be empty."""
        # a few carry blanks or worse, which would not pass through a kernel command line
        return re.sub(r"[^A-Za-z0-9._+=-]+", "_", self.serial) or self.wwn

    @property
    def pinned(self) -> str:
        """The name for a saved task, ``1@S5GXNX0R``: this number, if it is still this disk.

        Without a serial or WWN nothing can be checked later: the bare number, or a file's path.
        """
        if not self.number:
            return str(self.path)
        return f"{self.number}@{self.stable}" if self.stable else str(self.number)

    def called(self, part: Partition | None = None) -> str:
        """``disk 1``, ``disk 1 partition 2``, ``pc.img partition 2``: as a person names them."""
        name = f"disk {self.number}" if self.number else str(self.path)
        return f"{name} partition {part.number}" if part is not None else name

    def describe(self) -> str:
        """``/dev/vda (QEMU HARDDISK, 8.0 GiB)``, for questions and errors."""
        size = human_bytes(self.size_bytes)
        return f"{self.path} ({self.model + ', ' if self.model else ''}{size})"

    def identify(self) -> str:
        """The same with the serial number, to tell two equal models apart."""
        return f"{self.describe()} serial {self.serial}" if self.serial else self.describe()

    def its_partitions(self) -> str:
        """Their numbers and types, for the hint of an error."""
        there = ", ".join(f"{part.number} ({part.type})" for part in self.partitions)
        return f"Its partitions: {there or 'none'}."


def listed(disks: Iterable[Disk]) -> str:
    """Disks for the hint of an error: number, path, model, size and serial of each."""
    return "; ".join(f"{disk.number}: {disk.identify()}" for disk in disks)
