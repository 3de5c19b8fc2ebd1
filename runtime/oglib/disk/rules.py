# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for the disk that is meant on every PC of a room, though its number differs; pure.

``nvme``: the only NVMe disk. ``largest``: the one largest disk. ``system``: the one disk that a
firmware can start a system from (an ESP, a BIOS boot partition or an active one is on it); where
there is none yet, the only NVMe disk, else the only disk.

Only fixed disks can be meant: not what is removable or on USB, what is read-only, a volume group,
or a disk that is wholly part of a group or array. An array of whole disks stands for them. A tie
is refused. What a rule means on one PC can be said there (``ogdisk.system=S5GXNX0R`` on the kernel
command line, ``[disks]`` in policy.toml).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from oglib.disk.model import Disk, DiskKind, TableKind, listed
from oglib.disk.starts import starters
from oglib.errors import NotFoundError, UsageError

_OUTSIDE = ("usb", "ieee1394", "sbp")


def followed(spec: str, meanings: Mapping[str, str]) -> str:
    """What ``spec`` stands for on this PC; itself where it has no meaning there."""
    seen = [spec]
    while (to := meanings.get(spec, spec)) != spec:
        if to in seen:
            raise UsageError(
                f"The disk names of this PC go in a circle: {' = '.join([*seen, to])}.",
                hint="Mend ogdisk.NAME= on the kernel command line, or [disks] in policy.toml.",
            )
        seen.append(to)
        spec = to
    return spec


def chosen(rule: str, disks: Sequence[Disk]) -> Disk:
    """The disk that a rule of ``RULES`` means; NotFoundError unless it is exactly one."""
    fixed = _fixed(disks)
    found = RULES[rule](fixed)
    if len(found) == 1:
        return found[0]
    hint = f"Say which one is meant, by number or serial, or for this PC with ogdisk.{rule}=SERIAL."
    if found:
        raise NotFoundError(f"{rule!r} could be any of several disks: {listed(found)}.", hint=hint)
    left_out = [disk for disk in disks if disk not in fixed]
    besides = f" Never meant by a rule: {listed(left_out)}." if left_out else ""
    raise NotFoundError(
        f"No disk of this PC is meant by {rule!r}: it has {listed(fixed) or 'no fixed disk'}."
        + besides,
        hint=hint,
    )


def _fixed(disks: Sequence[Disk]) -> list[Disk]:
    """What a system could live on; an array of whole disks stands for them."""
    paths = {str(disk.path) for disk in disks}
    over_disks = [
        disk for disk in disks if disk.kind is DiskKind.MD and paths.issuperset(disk.members)
    ]
    groups = [disk for disk in disks if disk.kind is DiskKind.LVM]
    taken = {member for disk in (*over_disks, *groups) for member in disk.members}
    return [
        disk
        for disk in disks
        if (disk.kind in (DiskKind.DISK, DiskKind.MULTIPATH) or disk in over_disks)
        and str(disk.path) not in taken
        and not (disk.removable or disk.read_only or disk.transport in _OUTSIDE)
    ]


def _nvme(fixed: Sequence[Disk]) -> list[Disk]:
    return [disk for disk in fixed if disk.transport == "nvme"]


def _largest(fixed: Sequence[Disk]) -> list[Disk]:
    most = max((disk.size_bytes for disk in fixed), default=0)
    return [disk for disk in fixed if disk.size_bytes == most]


def _system(fixed: Sequence[Disk]) -> list[Disk]:
    bootable = [
        disk
        for disk in fixed
        # of an msdos table: a BIOS boots the active partition
        if starters(
            disk.table,
            {part.type for part in disk.partitions},
            boot_code=disk.table is TableKind.GPT or any(part.active for part in disk.partitions),
        )
    ]
    if bootable:
        return bootable
    nvme = _nvme(fixed)
    return nvme if len(nvme) == 1 else list(fixed)


RULES: Mapping[str, Callable[[Sequence[Disk]], list[Disk]]] = {
    "system": _system,
    "nvme": _nvme,
    "largest": _largest,
}
