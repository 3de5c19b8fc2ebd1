# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person or a job calls a disk or partition to the one that is meant.

Pure but for the last resort, a path that is no disk of this PC. A name that fits none or
several is refused with the candidates; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oglib.disk.model import Disk, Partition
from oglib.disk.probe import list_disks, probe_virtual
from oglib.errors import NotFoundError

_PARTITION_TAGS = {
    "LABEL": "label",
    "UUID": "uuid",
    "PARTLABEL": "name",
    "PARTUUID": "partuuid",
}


def find_disk(spec: str, disks: Sequence[Disk] | None = None) -> Disk:
    """The disk called ``spec``: number, path (also of a file), serial, WWN or ``LABEL=``-like.

    Raises NotFoundError, naming the candidates, unless exactly one is meant.
    """
    known = list_disks() if disks is None else disks
    tag, _, value = spec.partition("=")
    if tag.upper() in _PARTITION_TAGS and value:
        return find_tagged(spec, known)[0]
    if spec.isdecimal():
        found = [disk for disk in known if disk.number == int(spec)]
        # a serial number may look like a small number; the number of a disk is what it means
        found = found or [disk for disk in known if disk.serial == spec]
        return _only(spec, found, known)
    if "/" in spec:
        return _by_path(Path(spec), known)
    low = spec.lower()
    found = [disk for disk in known if low in (disk.serial.lower(), *_wwn_forms(disk.wwn))]
    return _only(spec, found, known)


def find_partition(disk: Disk, spec: str | int) -> Partition:
    """The partition of ``disk`` called ``spec``: its number, its path, or ``PARTUUID=``-like."""
    text = str(spec)
    if "=" in text:
        return find_tagged(text, [disk])[1]
    for part in disk.partitions:
        if text == str(part.number) or (part.path and "/" in text and part.path == Path(text)):
            return part
    there = ", ".join(f"{part.number} ({part.type})" for part in disk.partitions) or "none"
    raise NotFoundError(
        f"Disk {disk.describe()} has no partition {text}.", hint=f"Its partitions: {there}."
    )


def find_tagged(spec: str, disks: Sequence[Disk]) -> tuple[Disk, Partition]:
    """The one partition with this ``LABEL=``, ``UUID=``, ``PARTLABEL=`` or ``PARTUUID=``."""
    tag, _, value = spec.partition("=")
    field = _PARTITION_TAGS.get(tag.upper())
    found = [
        (disk, part)
        for disk in disks
        for part in disk.partitions
        if field and value and _same(str(getattr(part, field)), value, tag.upper())
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError(f"No partition has {spec}.", hint=_candidates(disks))
    there = ", ".join(f"{part.number} of {disk.path}" for disk, part in found)
    raise NotFoundError(
        f"{spec} is ambiguous: partitions {there} have it.",
        hint="Name the partition by its number or PARTUUID=.",
    )


def _same(have: str, asked: str, tag: str) -> bool:
    # identifiers are hexadecimal and written in either case; labels are texts
    return have.lower() == asked.lower() if tag in ("UUID", "PARTUUID") else have == asked


def _by_path(path: Path, disks: Sequence[Disk]) -> Disk:
    real = path.resolve()
    for disk in disks:
        if disk.path in (path, real) or disk.path.resolve() == real:
            return disk
        for part in disk.partitions:
            if part.path is not None and part.path.resolve() == real:
                raise NotFoundError(
                    f"{path} is partition {part.number} of {disk.path}, not a disk.",
                    hint=f"Name the disk and the partition: {disk.number} {part.number}.",
                )
    if not real.exists():
        raise NotFoundError(f"There is no disk or file {path}.", hint=_candidates(disks))
    return probe_virtual(path)


def _wwn_forms(wwn: str) -> tuple[str, ...]:
    """``0x5000c5…`` (lsblk), ``5000c5…`` and ``wwn-0x5000c5…`` (by-id) name the same."""
    low = wwn.lower()
    return (low, low.removeprefix("0x"), f"wwn-{low}") if low else ()


def _only(spec: str, found: Sequence[Disk], known: Sequence[Disk]) -> Disk:
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError(f"There is no disk {spec} in this PC.", hint=_candidates(known))
    raise NotFoundError(
        f"{spec} is ambiguous: {', '.join(str(disk.path) for disk in found)} all have it.",
        hint="Name the disk by its number or path.",
    )


def _candidates(disks: Sequence[Disk]) -> str:
    if not disks:
        return "This PC shows no disk."
    said = (
        f"{disk.number}: {disk.describe()}{f' serial {disk.serial}' if disk.serial else ''}"
        for disk in disks
    )
    return f"There are {'; '.join(said)}."
