# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and scripts change of this PC's boot entries: one way, read, planned, written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oglib.boot.nvram.planning import PresenceProbe, changes
from oglib.boot.nvram.presence import presence_on
from oglib.boot.nvram.table import BootTable, read_table, write
from oglib.boot.nvram.variables import here
from oglib.disk.model import Disk, Partition
from oglib.disk.probe import list_disks
from oglib.disk.starts import ESP
from oglib.errors import NotFoundError


def table_here() -> BootTable:
    """What this PC's firmware has; NOTUEFI on a PC without."""
    return read_table(here())


def change_here(
    plan: Callable[[BootTable], BootTable], *, dry: bool = False
) -> tuple[BootTable, tuple[str, ...]]:
    """Change this PC's entries: what is there then, and the changes. ``dry``: they are not made."""
    store = here()
    old = read_table(store)
    new = plan(old)
    told = changes(old, new)
    return (new if dry or not told else write(store, old, new)), told


def presence_here() -> PresenceProbe:
    """A look at the disks of this PC."""
    return presence_on(list_disks())


def find_esp(disks: Sequence[Disk]) -> tuple[Disk, Partition]:
    """The first ESP of these disks. NOTFOUND where there is none."""
    for disk in disks:
        for part in disk.partitions:
            if part.type == ESP:
                return disk, part
    raise NotFoundError(
        "No disk of this PC has an EFI system partition.",
        hint=f"Make one, of type {ESP}: `og disk apply`.",
    )
