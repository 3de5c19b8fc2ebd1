# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks as a person reads them: a short listing and everything about one, in 80 columns.

What does not fit is cut in the listing alone; ``og disk show`` and ``--json`` have it whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oglib.disk.model import Disk, DiskKind, Partition, TableKind
from oglib.errors import printable
from oglib.views.output import table
from oglib.wording.amounts import human_bytes
from oglib.wording.columns import USUAL, broken, cut, width

_LABEL_WIDTH = 16
_INDENT = " " * 8

# The systems found, by number of the partition.
Systems = Mapping[int, str]


def listing(disk: Disk, systems: Systems) -> str:
    """A disk in two lines, and a line for each partition."""
    head = _filled(
        (
            f"disk {disk.number}" if disk.number else "file",
            str(disk.path),
            human_bytes(disk.size_bytes),
            disk.transport,
            disk.kind if disk.kind in (DiskKind.MULTIPATH, DiskKind.MD) else "",
            _table(disk),
        ),
        first="",
    )
    about = _filled(
        (
            disk.model,
            f"serial {disk.serial}" if disk.serial else "",
            f"{disk.logical_sector_bytes} B sectors" if disk.logical_sector_bytes != 512 else "",
            "removable" if disk.removable else "",
            "read-only" if disk.read_only else "",
            _content(disk.filesystem, disk.label),
            "hybrid MBR" if disk.hybrid else "",
            *disk.use,
        )
    )
    found = [_row(part, systems[part.number]) for part in disk.partitions]
    rows = table(found, indent="  ", whole=False)
    lines = [*head, *about, *_damage(disk), *(cut(line, USUAL) for line in rows.splitlines())]
    return "\n".join(lines)


def details(disk: Disk, systems: Systems) -> str:
    """Everything that is known of a disk and its partitions."""
    facts = (
        ("number", str(disk.number) if disk.number else "none, it is a file"),
        ("saved as", disk.pinned),
        ("model", disk.model),
        ("serial", disk.serial),
        ("wwn", disk.wwn),
        ("size", _bytes(disk.size_bytes)),
        ("sectors", f"{disk.logical_sector_bytes} B, physical {disk.physical_sector_bytes} B"),
        ("kind", disk.kind),
        ("transport", disk.transport),
        ("removable", "yes" if disk.removable else ""),
        ("read-only", "yes" if disk.read_only else ""),
        ("table", _table(disk)),
        ("hybrid MBR", f"names {len(disk.hybrid)} partitions too" if disk.hybrid else ""),
        ("filesystem", _content(disk.filesystem, disk.label)),
        ("uuid", disk.uuid),
        ("members", " ".join(disk.members)),
        ("in use", ", ".join(disk.use)),
    )
    blocks = [str(disk.path), _facts(facts), *_damage(disk)]
    for part in disk.partitions:
        blocks += [f"partition {part.number}", _facts(_part_facts(part, systems[part.number]))]
    return "\n".join(block for block in blocks if block)


def _part_facts(part: Partition, system: str) -> Iterable[tuple[str, str]]:
    return (
        ("path", str(part.path) if part.path else ""),
        ("type", f"{part.type} ({part.type_id})" if part.type_id else part.type),
        ("active", "yes" if part.active else ""),
        ("name", printable(part.name)),
        ("partuuid", part.partuuid),
        ("start", f"{part.start_bytes} bytes" if part.start_bytes else ""),
        ("size", _bytes(part.size_bytes)),
        ("filesystem", _content(part.filesystem, part.label)),
        ("uuid", part.uuid),
        ("system", system),
        ("in use", ", ".join(part.use)),
    )


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return table([(name, value) for name, value in facts if value], indent="  ")


def _row(part: Partition, system: str) -> tuple[str, ...]:
    label = printable(part.label or part.name or "-")
    return (
        str(part.number),
        part.type,
        human_bytes(part.size_bytes),
        part.filesystem or "-",
        cut(label, _LABEL_WIDTH),
        " ".join(part.mountpoints) or system,
    )


def _filled(words: Iterable[str], first: str = _INDENT) -> list[str]:
    """Words two blanks apart in as many lines as they need; no word is broken."""
    lines: list[str] = []
    for word in map(printable, filter(None, words)):
        if lines and width(lines[-1]) + 2 + width(word) <= USUAL:
            lines[-1] += f"  {word}"
        else:
            lines.append((_INDENT if lines else first) + word)
    return lines


def _damage(disk: Disk) -> list[str]:
    return [
        line for said in disk.damage for line in broken(f"  damaged: {said}", USUAL, indent="    ")
    ]


def _table(disk: Disk) -> str:
    return "no partition table" if disk.table is TableKind.NONE else str(disk.table)


def _content(filesystem: str, label: str) -> str:
    return f"{filesystem} {label}".strip()


def _bytes(size: int) -> str:
    return f"{human_bytes(size)} ({size} bytes)"
