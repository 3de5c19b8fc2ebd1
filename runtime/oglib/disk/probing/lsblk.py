# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``lsblk --json`` prints, as disks in OpenGnsys' order; pure, starts nothing.

Owns which devices count as disks, their numbers and who uses them. OpenGnsys counts disks by
major:minor, then volume groups, then multipath maps; md arrays, which it does not know, come
last so that no number moves.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oglib.disk import types
from oglib.disk.model import Disk, DiskKind, Partition, TableKind
from oglib.disk.probing.rows import (
    START_UNIT_BYTES,
    TABLES,
    Row,
    children,
    is_partition,
    major_minor,
    mountpoints,
    rows_of,
    text_of,
    trailing_number,
    uses_of,
    walk,
)

if TYPE_CHECKING:
    from oglib.disk.probing.lvm import Group, Volume

# RAM, loops, optical and floppy drives, the flash of the firmware, an eMMC's own boot areas
_NOT_DISKS = re.compile(
    r"(zram|ram|loop|fd|sr|mtdblock|ubiblock|zd)\d+|nbd\d+p\d+|mmcblk\d+(boot\d+|rpmb|gp\d+)"
)
_FLOPPY_AND_RAM_MAJORS = (1, 2)
# where the first stage keeps the system it runs from; mounts below /run/oglive are our own
_LIVE_MOUNTS = ("/run/initramfs/", "/run/live/")
_MBR_ACTIVE = 0x80
_BUS_NAMES = (("vd", "virtio"), ("mmcblk", "mmc"), ("nvme", "nvme"), ("xvd", "xen"), ("sd", "scsi"))
_EMMC_BOOT_AREA = re.compile(r"(mmcblk\d+)boot0")


def parse_lsblk(
    text: str, names: Collection[str] | None, groups: Sequence[Group] = ()
) -> tuple[Disk, ...]:
    """The disks among the devices ``names`` (None: among all), and the volume groups."""
    rows = {str(row["name"]): row for row in rows_of(text)}
    parents = _parents(rows.values())
    kinds = {name: _kind(row) for name, row in rows.items()}
    counted = [
        (kind, row)
        for name, row in rows.items()
        if (kind := kinds[name])
        and (names is None or name in names or _holds(row, kinds, DiskKind.MD))
        and not _holds(row, kinds, DiskKind.MULTIPATH)
        and not _is_live_medium(row)
    ]
    found = {
        kind: [
            _disk(row, kind, parents[str(row["name"])])
            for one, row in sorted(counted, key=lambda each: major_minor(each[1]))
            if one is kind
        ]
        for kind in (DiskKind.DISK, DiskKind.MULTIPATH, DiskKind.MD)
    }
    emmc = {match[1] for name in rows if (match := _EMMC_BOOT_AREA.fullmatch(name))}
    ordered = (
        *(_card_or_emmc(disk, emmc) for disk in found[DiskKind.DISK]),
        *(_group(group, rows) for group in groups),
        *found[DiskKind.MULTIPATH],
        *found[DiskKind.MD],
    )
    return tuple(replace(disk, number=number) for number, disk in enumerate(ordered, start=1))


def is_virtual(name: str) -> bool:
    """Whether a kernel name is of a device that is never one of the PC's disks."""
    return bool(_NOT_DISKS.fullmatch(name))


def _kind(row: Row) -> DiskKind | None:
    """What sort of disk a row is; None for what is none."""
    kind = str(row["type"])
    if not int(row["size"] or 0) or is_virtual(str(row["kname"])):
        return None
    if major_minor(row)[0] in _FLOPPY_AND_RAM_MAJORS:
        return None
    if kind == "disk":
        return DiskKind.DISK
    if kind == "mpath":
        return DiskKind.MULTIPATH
    return DiskKind.MD if kind.startswith("raid") or kind == "linear" else None


def _holds(row: Row, kinds: Mapping[str, DiskKind | None], kind: DiskKind) -> bool:
    """Whether a map or an array lies on this very device.

    A path of a multipath map is not to be used. A disk in an array keeps its OpenGnsys number,
    although blkinfo hides it.
    """
    return any(kinds[str(child["name"])] is kind for child in children(row))


def _is_live_medium(row: Row) -> bool:
    points = [point for below in walk([row]) for point in mountpoints(below)]
    return any(point.startswith(_LIVE_MOUNTS) for point in points)


def _disk(row: Row, kind: DiskKind, members: Sequence[Row]) -> Disk:
    table = TABLES.get(text_of(row, "pttype"), TableKind.NONE)
    below = children(row)
    partitions = [_partition(child, table) for child in below if is_partition(child)]
    serial = text_of(row, "serial").strip()
    if kind is DiskKind.MD:
        serial = _shared(members, "uuid")  # of the array, written on each member
    return Disk(
        number=0,
        path=Path(text_of(row, "path")),
        size_bytes=int(row["size"]),
        table=table,
        partitions=tuple(sorted(partitions, key=lambda part: part.number)),
        logical_sector_bytes=int(row["log-sec"]),
        physical_sector_bytes=int(row["phy-sec"]),
        model=_model(row, kind, members),
        serial=serial or _inherited(kind, members, "serial"),
        wwn=text_of(row, "wwn") or _inherited(kind, members, "wwn"),
        transport=text_of(row, "tran")
        or _inherited(kind, members, "tran")
        or _transport_of(text_of(row, "kname")),
        removable=bool(row["rm"]),
        read_only=bool(row["ro"]),
        filesystem=text_of(row, "fstype"),
        label=text_of(row, "label"),
        uuid=text_of(row, "uuid"),
        use=uses_of(row, [child for child in below if not is_partition(child)]),
        kind=kind,
        members=tuple(text_of(member, "path") for member in members),
    )


def _model(row: Row, kind: DiskKind, members: Sequence[Row]) -> str:
    own = text_of(row, "model") or _inherited(kind, members, "model")
    return " ".join(own.split()) or (str(row["type"]) if kind is DiskKind.MD else "")


def _inherited(kind: DiskKind, members: Sequence[Row], column: str) -> str:
    """All paths of a multipath map lead to one disk, so what they say of it is said of the map."""
    return _shared(members, column).strip() if kind is DiskKind.MULTIPATH else ""


def _shared(members: Sequence[Row], column: str) -> str:
    said = {text_of(member, column) for member in members}
    return said.pop() if len(said) == 1 else ""


def _partition(row: Row, table: TableKind) -> Partition:
    type_id = types.normalise_id(text_of(row, "parttype")) if row["parttype"] else ""
    name = text_of(row, "partlabel")
    flags = text_of(row, "partflags")
    return Partition(
        number=trailing_number(text_of(row, "name")),
        start_bytes=int(row["start"] or 0) * START_UNIT_BYTES,
        size_bytes=int(row["size"]),
        type=types.mnemonic(type_id, table, name=name),
        type_id=type_id,
        path=Path(text_of(row, "path")),
        name=name,
        partuuid=text_of(row, "partuuid"),
        active=table is TableKind.MSDOS and bool(flags) and bool(int(flags, 16) & _MBR_ACTIVE),
        filesystem=text_of(row, "fstype"),
        label=text_of(row, "label"),
        uuid=text_of(row, "uuid"),
        mountpoints=mountpoints(row),
        use=uses_of(row, children(row)),
    )


def _group(group: Group, rows: Mapping[str, Row]) -> Disk:
    paths = {text_of(row, "path"): row for row in rows.values()}
    below = [paths[member] for member in group.members if member in paths]
    return Disk(
        number=0,
        path=group.path,
        size_bytes=group.size_bytes,
        table=TableKind.LVM,
        partitions=tuple(
            _volume(number, volume, group, rows)
            for number, volume in enumerate(group.volumes, start=1)
        ),
        logical_sector_bytes=max((int(row["log-sec"]) for row in below), default=512),
        physical_sector_bytes=max((int(row["phy-sec"]) for row in below), default=512),
        model="volume group",
        serial=group.uuid,
        kind=DiskKind.LVM,
        members=group.members,
        damage=group.damage,
    )


def _volume(number: int, volume: Volume, group: Group, rows: Mapping[str, Row]) -> Partition:
    # an inactive volume has no device and so no row; its path then leads nowhere
    row = rows.get(volume.mapped_name, {"mountpoints": []})
    return Partition(
        number=number,
        start_bytes=0,
        size_bytes=volume.size_bytes,
        type="LVM-LV",
        type_id="10000",
        path=group.path / volume.name,
        name=volume.name,
        partuuid=volume.uuid,
        filesystem=text_of(row, "fstype"),
        label=text_of(row, "label"),
        uuid=text_of(row, "uuid"),
        mountpoints=mountpoints(row),
        use=uses_of(row, children(row)),
    )


def _card_or_emmc(disk: Disk, emmc: Collection[str]) -> Disk:
    """A memory card calls itself fixed like an eMMC, but only the latter has boot areas."""
    card = disk.path.name.startswith("mmcblk") and disk.path.name not in emmc
    return replace(disk, removable=True) if card else disk


def _parents(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for child in children(row):
            found[str(child["name"])].append(row)
    return found


def _transport_of(kname: str) -> str:
    """lsblk knows no transport for some buses; the kernel's name tells it."""
    return next((bus for prefix, bus in _BUS_NAMES if kname.startswith(prefix)), "")
