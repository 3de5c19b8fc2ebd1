# SPDX-License-Identifier: GPL-3.0-or-later
"""Which partitions a menu hides before a Windows starts: those of the other ones."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.boot.menu.edits import Change, Changed, PartitionNames, entries_of
from oglib.boot.menu.entries import with_hidden
from oglib.boot.menu.reader import Entry, Menu
from oglib.deploy.system.menu import names_of
from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import OgErr, OgError

_WINDOWS = ("NTFS", "WINDOWS", "HNTFS")

# A partition of a disk, and how menus name it.
_Here = tuple[Disk, Partition, PartitionNames]


def hiding_change(disks: Sequence[Disk], data: tuple[Disk, Partition] | None = None) -> Change:
    """Each entry of a Windows hides the other ones' partitions; ``data`` stays seen by all.

    NOMSDOS where one lies in a table that has no hidden partitions.
    """
    windows = [
        (disk, part, names_of(disk, part))
        for disk in disks
        for part in disk.partitions
        if part.type in _WINDOWS
    ]
    for disk, part, _ in windows:
        if disk.table is not TableKind.MSDOS and len(windows) > 1:
            raise OgError(
                f"Partition {part.number} of {disk.describe()} cannot be hidden: its table is "
                f"{disk.table}, and only an msdos one knows hidden partitions.",
                code=OgErr.NOMSDOS,
            )
    return lambda menu: _hidden(menu, windows, data)


def _hidden(menu: Menu, windows: Sequence[_Here], data: tuple[Disk, Partition] | None) -> Changed:
    if len(windows) < 2:
        return Changed(menu.text, (), "there is one Windows at most, so nothing is hidden")
    wanted: list[tuple[Entry, list[str]]] = []
    for disk, part, place in windows:
        shown = [(disk, part), *([data] if data else [])]
        lines = [
            f"parttool ({_drive(*other)}) hidden{'-' if _is_one_of(other, shown) else '+'}"
            for other in [(one, its) for one, its, _ in windows]
        ]
        lines.append(f"parttool ({_drive(disk, part)}) boot+")
        wanted += [(entry, lines) for entry in entries_of(menu, place)]
    return with_hidden(menu, wanted)


def _is_one_of(here: tuple[Disk, Partition], others: Sequence[tuple[Disk, Partition]]) -> bool:
    place = (here[0].path, here[1].number)
    return any((disk.path, part.number) == place for disk, part in others)


def _drive(disk: Disk, part: Partition) -> str:
    """GRUB's own name for it, where the firmware counts the disks as ogLive does."""
    return f"hd{max(1, disk.number) - 1},msdos{part.number}"
