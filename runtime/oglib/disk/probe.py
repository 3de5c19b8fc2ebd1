# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disks and partitions there are, read from the machine; never writes.

The only owner of ``blkinfo``, which says which devices are disks (multipath members hidden);
everything else comes from one ``lsblk`` call. A regular file, or a device whose partitions
the kernel does not show (a loop device), is read by ``sfdisk`` and ``blkid`` instead.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import blkinfo

from oglib.disk import types
from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import OgError, PartitionError
from oglib.run import run

_COLUMNS = (
    "NAME,KNAME,PATH,PKNAME,TYPE,MAJ:MIN,SIZE,START,LOG-SEC,PHY-SEC,MODEL,SERIAL,WWN,TRAN,RM,RO,"
    "PTTYPE,PARTTYPE,PARTLABEL,PARTUUID,PARTFLAGS,FSTYPE,LABEL,UUID,MOUNTPOINTS"
)
_START_UNIT_BYTES = 512  # lsblk's START counts 512-byte units whatever the sector size
_NOT_DISKS = re.compile(r"^(zram|ram|loop|fd|sr|nbd\d+p)")
_LIVE_MOUNTS = ("/run/oglive/", "/run/initramfs/", "/run/live/")
_TABLES = {"gpt": TableKind.GPT, "dos": TableKind.MSDOS}
_MBR_ACTIVE = 0x80
_BUS_NAMES = (("vd", "virtio"), ("mmcblk", "mmc"), ("nvme", "nvme"), ("xvd", "xen"))
_NOTHING_FOUND = 2  # blkid: no signature

Row = Mapping[str, Any]


def list_disks() -> tuple[Disk, ...]:
    """Every disk of this PC in OpenGnsys' order; empty when it has none."""
    listing = run("lsblk", "--json", "--bytes", "--output", _COLUMNS).stdout
    try:
        names = {str(device["name"]) for device in blkinfo.BlkDiskInfo().get_disks()}
    except blkinfo.NoLsblkFound as error:
        raise OgError("The disks cannot be listed: lsblk is missing.") from error
    disks = parse_lsblk(listing, names)
    if not disks and _has_disks(json.loads(listing)["blockdevices"]):
        raise OgError(
            "The disks of this PC could not be listed: blkinfo found none where lsblk has some.",
            hint="Run lsblk by hand and look for a device that does not answer.",
        )
    return disks


def probe_target(path: Path) -> Disk:
    """A disk by its path: a disk of this PC, a loop device, or a regular file with its content."""
    real = path.resolve()
    if real.is_file() or _NOT_DISKS.match(real.name):
        return probe_virtual(path)
    for disk in list_disks():
        if disk.path.resolve() == real:
            return disk
    return probe_virtual(path)


def probe_virtual(path: Path) -> Disk:
    """A regular file or loop device as a disk, read without help of the kernel."""
    try:
        mode = path.stat().st_mode
        with path.open("rb") as device:
            size_bytes = device.seek(0, os.SEEK_END)
    except OSError as error:
        raise PartitionError(f"{path} cannot be read: {error.strerror}.") from error
    is_device = stat.S_ISBLK(mode)
    if not is_device and not stat.S_ISREG(mode):
        raise PartitionError(f"{path} is neither a disk nor a regular file.")
    sector = _queue_bytes(path, "logical_block_size") if is_device else 512
    physical = _queue_bytes(path, "physical_block_size") if is_device else 512
    table, partitions = read_table(path)
    bare = probe_signature(path) if table is TableKind.NONE else {}
    return Disk(
        number=0,
        path=path,
        size_bytes=size_bytes,
        table=table,
        partitions=tuple(_with_signature(path, part) for part in partitions),
        logical_sector_bytes=sector,
        physical_sector_bytes=physical,
        transport="loop" if is_device else "file",
        read_only=not os.access(path, os.W_OK),
        filesystem=bare.get("TYPE", ""),
        label=bare.get("LABEL", ""),
        uuid=bare.get("UUID", ""),
        use=_virtual_use(path, is_device),
    )


def read_table(path: Path) -> tuple[TableKind, tuple[Partition, ...]]:
    """The partition table as it is written on the disk, by sfdisk (independent of parted)."""
    if probe_signature(path).get("PTTYPE") not in _TABLES:
        return TableKind.NONE, ()
    said = run("sfdisk", "--json", path, accept=(0, 1))
    if said.status:
        raise PartitionError(
            f"The partition table of {path} cannot be read: {said.stderr.strip()}.",
            hint="A new table can be written over it when nothing on this disk is needed.",
        )
    return parse_sfdisk(said.stdout)


def parse_sfdisk(text: str) -> tuple[TableKind, tuple[Partition, ...]]:
    """``sfdisk --json``: start and size in sectors, ``type`` a GUID or hex, ``node`` a name."""
    found = json.loads(text)["partitiontable"]
    table = _TABLES.get(str(found["label"]), TableKind.NONE)
    sector = int(found.get("sectorsize", 512))
    disk_id = str(found.get("id", "")).lower().removeprefix("0x")
    partitions = []
    for row in found.get("partitions", ()):
        number = _trailing_number(str(row["node"]))
        type_id = types.normalise_id(str(row["type"]))
        name = str(row.get("name", ""))
        partitions.append(
            Partition(
                number=number,
                start_bytes=int(row["start"]) * sector,
                size_bytes=int(row["size"]) * sector,
                type=types.mnemonic(type_id, table, name=name),
                type_id=type_id,
                name=name,
                partuuid=str(row.get("uuid", "")).lower() or f"{disk_id}-{number:02x}",
                active=bool(row.get("bootable", False)),
            )
        )
    return table, tuple(sorted(partitions, key=lambda part: part.number))


def parse_lsblk(text: str, disk_names: Iterable[str]) -> tuple[Disk, ...]:
    """``lsblk --json --bytes`` with our columns, kept to the devices that blkinfo calls disks."""
    wanted = set(disk_names)
    rows = {
        str(row["name"]): row
        for row in _walk(json.loads(text)["blockdevices"])
        if row["name"] in wanted and _is_disk(row)
    }
    ordered = sorted(rows.values(), key=lambda row: (row["type"] == "mpath", _major_minor(row)))
    return tuple(_disk(number, row) for number, row in enumerate(ordered, start=1))


def probe_signature(path: Path, offset_bytes: int = 0, size_bytes: int = 0) -> dict[str, str]:
    """blkid's low-level answer for a device, or for a stretch of it (TYPE, LABEL, UUID, PTTYPE)."""
    where = ("--offset", str(offset_bytes), "--size", str(size_bytes)) if size_bytes else ()
    # export escapes blanks and quotes with backslashes; 8: several signatures contradict
    said = run("blkid", "--probe", "--output", "export", *where, path, accept=(0, 2, 8))
    if said.status == _NOTHING_FOUND:
        return {}
    pairs = (line.partition("=") for line in said.stdout.splitlines() if "=" in line)
    return {key: re.sub(r"\\(.)", r"\1", value) for key, _, value in pairs}


def _disk(number: int, row: Row) -> Disk:
    table = _TABLES.get(_text(row, "pttype"), TableKind.NONE)
    partitions = [
        _partition(child, table) for child in row.get("children", ()) if child["type"] == "part"
    ]
    others = [child for child in row.get("children", ()) if child["type"] != "part"]
    return Disk(
        number=number,
        path=Path(_text(row, "path")),
        size_bytes=int(row["size"]),
        table=table,
        partitions=tuple(sorted(partitions, key=lambda part: part.number)),
        logical_sector_bytes=int(row["log-sec"]),
        physical_sector_bytes=int(row["phy-sec"]),
        model=" ".join(_text(row, "model").split()),
        serial=_text(row, "serial").strip(),
        wwn=_text(row, "wwn"),
        transport=_text(row, "tran") or _transport_of(_text(row, "kname")),
        removable=bool(row["rm"]),
        read_only=bool(row["ro"]),
        filesystem=_text(row, "fstype"),
        label=_text(row, "label"),
        uuid=_text(row, "uuid"),
        use=_use(row, others),
    )


def _partition(row: Row, table: TableKind) -> Partition:
    type_id = types.normalise_id(_text(row, "parttype")) if row["parttype"] else ""
    name = _text(row, "partlabel")
    flags = _text(row, "partflags")
    return Partition(
        number=_trailing_number(_text(row, "name")),
        start_bytes=int(row["start"] or 0) * _START_UNIT_BYTES,
        size_bytes=int(row["size"]),
        type=types.mnemonic(type_id, table, name=name),
        type_id=type_id,
        path=Path(_text(row, "path")),
        name=name,
        partuuid=_text(row, "partuuid"),
        active=table is TableKind.MSDOS and bool(flags) and bool(int(flags, 16) & _MBR_ACTIVE),
        filesystem=_text(row, "fstype"),
        label=_text(row, "label"),
        uuid=_text(row, "uuid"),
        mountpoints=_mountpoints(row),
        use=_use(row, row.get("children", ())),
    )


def _use(row: Row, holders: Iterable[Row]) -> tuple[str, ...]:
    """Who holds this device: mounts and swap of its own, and mapped devices above it."""
    own = [
        "active swap" if point == "[SWAP]" else f"mounted on {point}" for point in _mountpoints(row)
    ]
    return tuple(own) + tuple(f"holds {_text(held, 'path')}" for held in holders)


def _mountpoints(row: Row) -> tuple[str, ...]:
    return tuple(str(point) for point in row["mountpoints"] if point)


def _is_disk(row: Row) -> bool:
    if _NOT_DISKS.match(str(row["kname"])) or not int(row["size"] or 0):
        return False
    if row["type"] not in ("disk", "mpath"):
        return False
    if _major_minor(row)[0] in (1, 2):
        return False
    points = [point for below in _walk([row]) for point in _mountpoints(below)]
    return not any(point.startswith(_LIVE_MOUNTS) for point in points)


def _has_disks(rows: Iterable[Row]) -> bool:
    return any(_is_disk(row) for row in _walk(rows))


def _walk(rows: Iterable[Row]) -> Iterable[Row]:
    for row in rows:
        yield row
        yield from _walk(row.get("children", ()))


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def _major_minor(row: Row) -> tuple[int, int]:
    major, _, minor = str(row["maj:min"]).strip().partition(":")
    return int(major), int(minor)


def _trailing_number(name: str) -> int:
    found = re.search(r"(\d+)$", name)
    return int(found.group(1)) if found else 0


def _transport_of(kname: str) -> str:
    """lsblk knows no transport for some buses; the kernel's name tells it."""
    return next((bus for prefix, bus in _BUS_NAMES if kname.startswith(prefix)), "")


def _queue_bytes(path: Path, name: str) -> int:
    queue = Path("/sys/class/block") / path.resolve().name / "queue" / name
    return int(queue.read_text()) if queue.exists() else 512


def _with_signature(path: Path, part: Partition) -> Partition:
    if part.type == types.EXTENDED:
        return part
    found = probe_signature(path, part.start_bytes, part.size_bytes)
    return replace(
        part,
        filesystem=found.get("TYPE", ""),
        label=found.get("LABEL", ""),
        uuid=found.get("UUID", ""),
    )


def _virtual_use(path: Path, is_device: bool) -> tuple[str, ...]:
    """Loop devices on a file, or mounts of a device, each as one reason."""
    if not is_device:
        held = run("losetup", "--noheadings", "--output", "NAME", "--associated", path).stdout
        return tuple(f"attached as {name}" for name in held.split())
    said = run("lsblk", "--json", "--bytes", "--output", _COLUMNS, path).stdout
    row = json.loads(said)["blockdevices"][0]
    below = row.get("children", ())
    uses = list(_use(row, [child for child in below if child["type"] != "part"]))
    for child in below:
        if child["type"] == "part":
            uses += _use(child, child.get("children", ()))
    return tuple(uses)
