# SPDX-License-Identifier: GPL-3.0-or-later
"""A regular file or a loop device as a disk, read without the kernel's help; never writes.

``sfdisk`` tells the table as it is written on any disk, ``blkid`` the filesystems.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.disk import types
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.probing.plain import plain_table
from oglib.disk.probing.rows import (
    COLUMNS,
    START_UNIT_BYTES,
    TABLES,
    Row,
    children,
    is_partition,
    mountpoints,
    rows_of,
    trailing_number,
    uses_of,
)
from oglib.disk.tables import mbr
from oglib.disk.tables.boot_sector import filesystem_of, header_of
from oglib.errors import PartitionError
from oglib.kernel.users import users_of
from oglib.run import run

_NOTHING_FOUND = 2  # blkid: no signature


def probe_virtual(path: Path, *, contents: bool = True) -> Disk:
    """A file or device as a disk; a table that cannot be read is told as its damage.

    Without ``contents`` the partitions are not looked into.
    """
    try:
        mode = path.stat().st_mode
        with path.open("rb") as device:
            size_bytes = device.seek(0, os.SEEK_END)
    except OSError as error:
        raise PartitionError(f"{path} cannot be read: {error.strerror}.") from error
    is_device = stat.S_ISBLK(mode)
    if not is_device and not stat.S_ISREG(mode):
        raise PartitionError(f"{path} is neither a disk nor a regular file.")
    damage: tuple[str, ...] = ()
    sector_bytes = _sysfs_number(path, "queue/logical_block_size", 512)
    try:
        table, partitions = plain_table(path, sector_bytes) or read_table(path)
    except PartitionError as error:
        table, partitions, damage = TableKind.NONE, (), (error.message,)
    bare = probe_signature(path) if contents and table is TableKind.NONE else {}
    users = _users(path, is_device)
    return Disk(
        number=0,
        path=path,
        size_bytes=size_bytes,
        table=table,
        partitions=tuple(_seen(path, part, users, contents) for part in partitions),
        logical_sector_bytes=sector_bytes,
        physical_sector_bytes=_sysfs_number(path, "queue/physical_block_size", 512),
        transport="loop" if is_device else "file",
        read_only=bool(_sysfs_number(path, "ro", 0)) or not os.access(path, os.W_OK),
        filesystem=bare.get("TYPE", ""),
        label=bare.get("LABEL", ""),
        uuid=bare.get("UUID", ""),
        use=_disk_uses(partitions, users),
        damage=damage,
    )


def read_table(path: Path) -> tuple[TableKind, tuple[Partition, ...]]:
    """The partition table as it is written on the disk, by sfdisk (independent of parted)."""
    first, sectors = _first_sector(path)
    # blkid takes a table behind a FAT header for a FAT, and an exFAT for a table
    is_table = bool(header_of(first)) and not filesystem_of(first, sectors)
    if filesystem_of(first, sectors) or not (
        is_table or probe_signature(path).get("PTTYPE") in TABLES
    ):
        return TableKind.NONE, ()
    return sfdisk_table(path)


def sfdisk_table(path: Path) -> tuple[TableKind, tuple[Partition, ...]]:
    """The same where it is known that there is a table: nobody asks what else it might be."""
    said = run("sfdisk", "--json", path, accept=(0, 1))
    if said.status:
        raise PartitionError(
            f"The partition table of {path} cannot be read: {said.stderr.strip()}.",
            hint="A new table can be written over it when nothing on this disk is needed.",
        )
    return parse_sfdisk(said.stdout)


def bare_filesystem(path: Path) -> str:
    """The filesystem whose boot sector the first one is, which tools take for an msdos table."""
    return filesystem_of(*_first_sector(path))


def _first_sector(path: Path) -> tuple[bytes, int]:
    """The first 512 bytes, and how many times as many there are."""
    try:
        with path.open("rb") as device:
            first = device.read(mbr.MBR_BYTES)
            return first, device.seek(0, os.SEEK_END) // mbr.MBR_BYTES
    except OSError as error:
        raise PartitionError(f"{path} cannot be read: {error.strerror}.") from error


def parse_sfdisk(text: str) -> tuple[TableKind, tuple[Partition, ...]]:
    """``sfdisk --json``: start and size in sectors, ``type`` a GUID or hex, ``node`` a name."""
    import json  # noqa: PLC0415  a plain table is read without

    found = json.loads(text)["partitiontable"]
    table = TABLES.get(str(found["label"]), TableKind.NONE)
    sector = int(found.get("sectorsize", 512))
    disk_id = str(found.get("id", "")).lower().removeprefix("0x")
    partitions = []
    for row in found.get("partitions", ()):
        number = trailing_number(str(row["node"]))
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


def probe_signature(path: Path, offset_bytes: int = 0, size_bytes: int = 0) -> dict[str, str]:
    """blkid's low-level answer for a device, or for a stretch of it (TYPE, LABEL, UUID, PTTYPE)."""
    where = ("--offset", str(offset_bytes), "--size", str(size_bytes)) if size_bytes else ()
    # export escapes blanks and quotes with backslashes; 8: several signatures contradict
    said = run("blkid", "--probe", "--output", "export", *where, path, accept=(0, 2, 8))
    if said.status == _NOTHING_FOUND:
        return {}
    pairs = (line.partition("=") for line in said.stdout.splitlines() if "=" in line)
    return {key: re.sub(r"\\(.)", r"\1", value) for key, _, value in pairs}


@dataclass(frozen=True, slots=True)
class _User:
    """Who uses the disk from this byte on: in words, and the mountpoints among them."""

    start_bytes: int
    uses: tuple[str, ...]
    mountpoints: tuple[str, ...]


def _users(path: Path, is_device: bool) -> list[_User]:
    """What the kernel itself mounts of a device, and who uses it through other devices."""
    found = []
    if is_device:
        for row in _rows(path):
            start = int(row["start"] or 0) * START_UNIT_BYTES if is_partition(row) else 0
            held = [child for child in children(row) if not is_partition(child)]
            found.append(_User(start, uses_of(row, held), mountpoints(row)))
    own = path.resolve().name
    for user in users_of(path):
        if is_device and user.device.name.startswith(own):
            continue  # a partition of its own, told above
        # detached already: it lives as long as its mount, or as somebody's glance at it
        idle = () if user.leaving else (f"attached as {user.device}",)
        found.append(_User(user.stretch.start_bytes, user.uses or idle, user.mountpoints))
    return found


def _rows(*devices: str | Path) -> list[Row]:
    said = run("lsblk", "--json", "--bytes", "--output", COLUMNS, *devices, accept=(0, 32, 64))
    return rows_of(said.stdout)


def _seen(path: Path, part: Partition, users: Sequence[_User], contents: bool) -> Partition:
    """The partition with its users, and its filesystem where ``contents`` are asked for."""
    mine = [user for user in users if _is_in(user, part)]
    found = {}
    if contents and part.type != types.EXTENDED:
        found = probe_signature(path, part.start_bytes, part.size_bytes)
    return replace(
        part,
        filesystem=found.get("TYPE", ""),
        label=found.get("LABEL", ""),
        uuid=found.get("UUID", ""),
        mountpoints=tuple(point for user in mine for point in user.mountpoints),
        use=tuple(use for user in mine for use in user.uses),
    )


def _is_in(user: _User, part: Partition) -> bool:
    """Whether somebody uses this partition: what begins in it is in it, whatever its end."""
    if part.type == types.EXTENDED:
        return user.start_bytes == part.start_bytes
    return part.start_bytes <= user.start_bytes < part.end_bytes


def _disk_uses(partitions: Sequence[Partition], users: Sequence[_User]) -> tuple[str, ...]:
    """Of those who use no partition: the disk itself, or what lies between."""
    return tuple(
        use
        for user in users
        if not any(_is_in(user, part) for part in partitions)
        for use in user.uses
    )


def _sysfs_number(path: Path, name: str, otherwise: int) -> int:
    """What the kernel tells of a device; of a file it tells nothing."""
    file = Path("/sys/class/block") / path.resolve().name / name
    return (
        int(file.read_text()) if stat.S_ISBLK(path.stat().st_mode) and file.exists() else otherwise
    )
