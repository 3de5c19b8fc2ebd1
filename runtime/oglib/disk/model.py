# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk is to ogLive: values without behaviour that touches the machine.

Owns the shapes that probing returns and planning reads. Must not read or write any device.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from oglib.progress import human_bytes

MIB = 1024 * 1024


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

    ``members``: the disks under a multipath map, array or volume group. ``damage``: what is wrong
    with its partition table, a sentence each; such a table is shown and not edited.
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

    @property
    def in_use(self) -> tuple[str, ...]:
        """Why the disk may not be changed now, in words; empty when nobody uses it."""
        return self.use + tuple(
            f"partition {part.number}: {use}" for part in self.partitions for use in part.use
        )

    def describe(self) -> str:
        """``/dev/vda (QEMU HARDDISK, 8.0 GiB)``, for questions and errors."""
        size = human_bytes(self.size_bytes)
        return f"{self.path} ({self.model + ', ' if self.model else ''}{size})"
