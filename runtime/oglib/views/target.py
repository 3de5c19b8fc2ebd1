# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is shown of a disk before its data are lost: model, size, present systems."""

from __future__ import annotations

from oglib.disk.model import Disk, Partition
from oglib.errors import OgError, printable
from oglib.inventory.installed import system_of
from oglib.wording.amounts import human_bytes

_UNREADABLE = "its files cannot be read"


def system_on(disk: Disk, part: Partition) -> str | None:
    """The system on a partition as it names itself; empty where there is none.

    None where its files cannot be read: a listing goes on there, and who asks for that one alone
    (``og inventory os``) is told why.
    """
    try:
        found = system_of(disk, part)
    except OgError:
        return None
    return found.description if found else ""


def system_text(system: str | None) -> str:
    """What ``system_on`` answered, for a person."""
    return _UNREADABLE if system is None else system


def facts_of(disk: Disk, only: Partition | None = None) -> list[str]:
    """The disk and what is on it, a line each."""
    lines = [disk.describe() + (f", serial {disk.serial}" if disk.serial else "")]
    if disk.filesystem and only is None:
        label = f" {printable(disk.label)!r}" if disk.label else ""
        lines.append(f"{disk.filesystem}{label} fills the whole disk")
    for part in [only] if only else disk.partitions:
        words = (part.type, human_bytes(part.size_bytes), part.filesystem, part.label)
        line = f"partition {part.number}: {' '.join(word for word in words if word)}"
        system = system_text(system_on(disk, part))
        lines.append(f"{line}, {system}" if system else line)
    return lines
