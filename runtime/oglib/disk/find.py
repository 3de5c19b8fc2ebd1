# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person or a job calls a disk or partition to the one that is meant.

Pure but for the last resort, a path that is no disk of this PC. A name that fits none or
several is refused with the candidates; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from oglib.disk.model import Disk, DiskKind, Partition, listed
from oglib.disk.probe import list_disks, probe_target
from oglib.disk.rules import RULES, chosen, followed
from oglib.errors import NotFoundError, UsageError
from oglib.wording.nearest import meant

_PARTITION_TAGS = {
    "LABEL": "label",
    "UUID": "uuid",
    "PARTLABEL": "name",
    "PARTUUID": "partuuid",
}
_ON_BARE_DISKS = ("LABEL", "UUID")  # a filesystem without a partition table around it
_PINNED = re.compile(r"(\d{1,9})@(.+)")
_MOST_BESIDE = 1000
_MOST_DIGITS_OF_A_NUMBER = 3


def find_disk(
    spec: str, disks: Sequence[Disk] | None = None, rules: Mapping[str, str] | None = None
) -> Disk:
    """The disk called ``spec``.

    A number, a number pinned to a disk (``1@SERIAL``), a path (also of a file), serial, WWN,
    ``LABEL=``-like, or a rule (``system``, ``nvme``, ``largest``); ``rules`` says what names mean
    on this PC (``Settings.disk_rules``). Raises NotFoundError, naming the candidates, unless
    exactly one disk is meant.
    """
    if not spec.strip():
        raise UsageError("The name of the disk is empty.", hint="See `og disk list`.")
    known = list_disks() if disks is None else disks
    meant = followed(spec, rules or {})
    if meant == spec:
        return _find(spec, known)
    try:
        return _find(meant, known)
    except NotFoundError as error:
        raise NotFoundError(
            f"{spec} is {meant} on this PC. {error.message}", hint=error.hint
        ) from (error)


def _find(spec: str, known: Sequence[Disk]) -> Disk:
    if spec in RULES:
        return chosen(spec, known)
    tag, _, value = spec.partition("=")
    if tag.upper() in _PARTITION_TAGS and value:
        return _tagged_disk(spec, known)
    if pin := _PINNED.fullmatch(spec):
        return _pinned(int(pin[1]), pin[2], known)
    if spec.isdecimal():
        found = [disk for disk in known if str(disk.number) == spec.lstrip("0")]
        # a short one is the number of a disk and nothing else: disk 3 that was taken out must not
        # become the stick with the serial number 3
        long = len(spec) > _MOST_DIGITS_OF_A_NUMBER
        return _only(spec, found or (_called(spec, known) if long else []), known)
    if "/" in spec:
        return _by_path(Path(spec), known)
    return _only(spec, _called(spec, known), known)


def find_partition(disk: Disk, spec: str | int) -> Partition:
    """The partition of ``disk`` called ``spec``: its number, its path, or ``PARTUUID=``-like."""
    text = str(spec)
    if "=" in text:
        return find_tagged(text, [disk])[1]
    real = Path(text).resolve() if "/" in text else None
    for part in disk.partitions:
        if text == str(part.number) or (real and part.path and part.path.resolve() == real):
            return part
    words = [str(one) for part in disk.partitions for one in (part.path or "", part.label)]
    raise NotFoundError(
        f"Disk {disk.describe()} has no partition {text}.",
        hint=f"{meant(text, filter(None, words))}{disk.its_partitions()}",
    )


def find_tagged(spec: str, disks: Sequence[Disk]) -> tuple[Disk, Partition]:
    """The one partition with this ``LABEL=``, ``UUID=``, ``PARTLABEL=`` or ``PARTUUID=``."""
    found = _tagged(spec, disks)
    if len(found) == 1:
        return found[0]
    if not found:
        tag, _, value = spec.partition("=")
        field = _PARTITION_TAGS.get(tag.upper())
        parts = [part for disk in disks for part in disk.partitions] if field else []
        there = [str(getattr(part, field or "")) for part in parts]
        raise NotFoundError(
            f"No partition has {spec}.", hint=f"{meant(value, there)}{_candidates(disks)}"
        )
    raise _ambiguous(spec, [f"partition {part.number} of {disk.path}" for disk, part in found])


def _tagged_disk(spec: str, known: Sequence[Disk]) -> Disk:
    tag, _, value = spec.partition("=")
    bare = [
        disk
        for disk in known
        if tag.upper() in _ON_BARE_DISKS
        and _same(str(getattr(disk, tag.lower())), value, tag.upper())
    ]
    parts = _tagged(spec, known)
    if len(bare) == 1 and not parts:
        return bare[0]
    if bare:
        there = [f"partition {part.number} of {disk.path}" for disk, part in parts]
        raise _ambiguous(spec, [*(str(disk.path) for disk in bare), *there])
    return find_tagged(spec, known)[0]


def _tagged(spec: str, disks: Sequence[Disk]) -> list[tuple[Disk, Partition]]:
    tag, _, value = spec.partition("=")
    field = _PARTITION_TAGS.get(tag.upper())
    return [
        (disk, part)
        for disk in disks
        for part in disk.partitions
        if field and value and _same(str(getattr(part, field)), value, tag.upper())
    ]


def _ambiguous(spec: str, there: Sequence[str]) -> NotFoundError:
    return NotFoundError(
        f"{spec} is ambiguous: {', '.join(there)} have it.",
        hint="Name the partition by its number or PARTUUID=.",
    )


def _same(have: str, asked: str, tag: str) -> bool:
    # identifiers are hexadecimal and written in either case; labels are texts
    return have.lower() == asked.lower() if tag in ("UUID", "PARTUUID") else have == asked


def _pinned(number: int, stable: str, known: Sequence[Disk]) -> Disk:
    """The disk of a saved task, if its number still means it."""
    saved = _called(stable, known)
    if len(saved) > 1:
        return _only(stable, saved, known)
    if saved and saved[0].number == number:
        return saved[0]
    now = next((disk for disk in known if disk.number == number), None)
    there = f"disk {number} is now {now.identify()}" if now else f"there is no disk {number} now"
    moved = f"and {stable} is now disk {listed(saved)}" if saved else f"and {stable} is not here"
    raise NotFoundError(
        f"Disk {number} was {stable} when this was saved; {there}, {moved}.",
        hint="Save the task again, or name the disk by its serial alone.",
    )


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
        if disk.kind is DiskKind.MULTIPATH and str(real) in disk.members:
            raise NotFoundError(
                f"{path} is one of the paths to {disk.path}, not a disk of its own.",
                hint=f"Name the disk: {disk.number} or {disk.path}.",
            )
    if not real.exists():
        near = meant(path.name, _beside(path)) or meant(str(path), (str(one.path) for one in disks))
        raise NotFoundError(f"There is no disk or file {path}.", hint=f"{near}{_candidates(disks)}")
    return probe_target(path)


def _beside(path: Path) -> list[str]:
    """Files in the same folder; none in /dev, where the disks are named by what is plugged in."""
    try:
        found = islice(path.parent.iterdir(), _MOST_BESIDE) if path.parent != Path("/dev") else ()
        return [one.name for one in found if one.is_file()]
    except OSError:
        return []


def _called(name: str, known: Sequence[Disk]) -> list[Disk]:
    """The disks with this serial or WWN."""
    low = name.lower()
    return [
        disk
        for disk in known
        if low in (disk.serial.lower(), disk.stable.lower(), *_wwn_forms(disk.wwn))
    ]


def _wwn_forms(wwn: str) -> tuple[str, ...]:
    """``0x5000c5…`` (lsblk), ``5000c5…``, ``wwn-0x5000c5…`` (by-id) and ``35000c5…`` are one.

    The last is the WWID of multipath: the type of the identifier before it.
    """
    low = wwn.lower()
    if not low:
        return ()
    bare = low.removeprefix("0x")
    return (low, bare, f"wwn-{low}", *((f"3{bare}",) if bare != low else ()))


def _only(spec: str, disks: Sequence[Disk], known: Sequence[Disk]) -> Disk:
    if len(disks) == 1:
        return disks[0]
    if not disks:
        words = [*RULES, *(one for disk in known for one in (disk.serial, disk.wwn) if one)]
        raise NotFoundError(
            f"There is no disk {spec} in this PC.",
            hint=f"{meant(spec, words)}{_candidates(known)}",
        )
    raise NotFoundError(
        f"{spec} is ambiguous: {', '.join(str(disk.path) for disk in disks)} all have it.",
        hint="Name the disk by its number or path.",
    )


def _candidates(disks: Sequence[Disk]) -> str:
    return f"There are {listed(disks)}." if disks else "This PC shows no disk."
