# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disks and partitions there are, read from the machine; never writes.

The only owner of ``blkinfo``, which says which devices are disks (multipath members hidden);
everything else comes from one ``lsblk`` call, and volume groups from LVM's own tools where there
are any. ``OG_DISKS`` puts files or other devices in the place of the PC's disks.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oglib.disk import types
from oglib.disk.model import Disk, DiskKind, Partition, TableKind
from oglib.disk.probing.instead import INSTEAD, MEND, instead_of_disks
from oglib.disk.probing.lsblk import is_virtual, parse_lsblk
from oglib.disk.probing.rows import COLUMNS, LVM_MEMBER, rows_of
from oglib.disk.probing.virtual import bare_filesystem, probe_virtual, read_table
from oglib.disk.tables import mbr
from oglib.disk.tables.damage import examine
from oglib.disk.tables.gpt import ENTRIES_BYTES
from oglib.errors import NotFoundError, PartitionError, ProcessError
from oglib.kernel.udev import settle
from oglib.run import run

if TYPE_CHECKING:
    from oglib.disk.probing.lvm import Group

# Disks come and go while lsblk looks: what it says then may be half of the truth, or no JSON.
_LOOKS = 3
_LOOK_PAUSE_S = 0.3


def list_disks() -> tuple[Disk, ...]:
    """Every disk of this PC in OpenGnsys' order; empty when it has none."""
    if instead := instead_of_disks():
        return tuple(_probe_instead(number, path) for number, path in enumerate(instead, start=1))
    return _own_disks()


def _own_disks() -> tuple[Disk, ...]:
    why: Exception | None = None
    for look in range(_LOOKS):
        if look:
            time.sleep(_LOOK_PAUSE_S)
        # lsblk tells what udev remembers; what was formatted a moment ago is still on its way
        settle()
        try:
            found = _listed()
        except (ProcessError, AttributeError, LookupError, TypeError, ValueError) as error:
            why = error
        else:
            return tuple(_looked_into(disk) for disk in found)
    raise PartitionError(
        f"The disks of this PC cannot be listed: {_said_by_lsblk(why)}",
        hint="Run `lsblk --json` to see what it says; a disk that fails is named by the kernel's "
        "log.",
    ) from why


def _listed() -> tuple[Disk, ...]:
    """One look. Whatever is wrong with what lsblk prints raises as Python finds it."""
    listing = run("lsblk", "--json", "--bytes", "--output", COLUMNS).stdout
    has_lvm = any(row["fstype"] == LVM_MEMBER for row in rows_of(listing))
    groups: tuple[Group, ...] = ()
    if has_lvm:
        from oglib.disk.probing.lvm import volume_groups  # noqa: PLC0415

        groups = volume_groups()
    return parse_lsblk(listing, _names(), groups)


def _said_by_lsblk(why: Exception | None) -> str:
    if isinstance(why, ProcessError):
        return why.message
    return f"what lsblk prints is not understood, {_LOOKS} times ({type(why).__name__}: {why})."


def list_tables() -> tuple[Disk, ...]:
    """The same disks for who asks for their tables: files on them are told only where that is free.

    What lsblk says of a PC's own disks says it of their filesystems too.
    """
    if instead := instead_of_disks():
        return tuple(
            _probe_instead(number, path, contents=False)
            for number, path in enumerate(instead, start=1)
        )
    return _own_disks()


def table_of(number: int) -> Disk | None:
    """Disk ``number`` with its table; of filesystems on it only what is told besides.

    None where there is no such disk.
    """
    instead = instead_of_disks()
    if not instead:
        return next((disk for disk in _own_disks() if disk.number == number), None)
    if not 1 <= number <= len(instead):
        return None
    return _probe_instead(number, instead[number - 1], contents=False)


def probe_target(path: Path, *, contents: bool = True) -> Disk:
    """A disk by its path: a disk of this PC, a loop device, or a regular file with its content.

    Without ``contents`` filesystems may be left out: for who asks for the table and the users.
    """
    real = path.resolve()
    for number, instead in enumerate(instead_of_disks(), start=1):
        if instead.resolve() == real:
            return _probe_instead(number, instead, contents=contents)
    return _own_disk(real) or _looked_into(probe_virtual(path, contents=contents))


def _probe_instead(number: int, path: Path, *, contents: bool = True) -> Disk:
    if not path.exists():
        raise NotFoundError(
            f"There is no disk or file {path}, which {INSTEAD} names as disk {number}.",
            hint=MEND,
        )
    disk = _own_disk(path.resolve()) or _looked_into(probe_virtual(path, contents=contents))
    return replace(disk, number=number)


def _own_disk(real: Path) -> Disk | None:
    """The disk of this PC with this path; a file or loop device is none of them."""
    if real.is_file() or is_virtual(real.name):
        return None
    return next((disk for disk in _own_disks() if disk.path.resolve() == real), None)


def _names() -> frozenset[str] | None:
    """What blkinfo calls disks; None when it gives up.

    It does so in many ways (its own exception, keys of devices that vanished, an iSCSI disk of a
    network card), and on a device that it does not understand. lsblk has seen that one as well,
    so its own types serve then: no failure of a second opinion hides the disks.
    """
    try:
        import blkinfo  # noqa: PLC0415 - only where real disks are listed: start fast

        found = [str(device["name"]) for device in blkinfo.BlkDiskInfo().get_disks()]
    except Exception:  # noqa: BLE001 - whatever it is, it says nothing about the disks
        return None
    return frozenset(found) or None


def _looked_into(disk: Disk) -> Disk:
    """What only the disk itself or the kernel's files can tell, added."""
    if disk.kind is DiskKind.LVM:
        return disk
    disk = _examined(replace(disk, model=disk.model or _card_name(disk.path)))
    if disk.table is TableKind.MSDOS and _is_filesystem(disk.path):
        return replace(disk, table=TableKind.NONE, partitions=())
    return _with_extended(_with_places(disk) if disk.kind is DiskKind.MULTIPATH else disk)


def _is_filesystem(path: Path) -> bool:
    try:
        return bool(bare_filesystem(path))
    except PartitionError:
        return False  # told as its damage


def _with_extended(disk: Disk) -> Disk:
    """The kernel shows only the first KiB of an extended partition; its table tells the rest."""
    if all(part.type != types.EXTENDED for part in disk.partitions):
        return disk
    try:
        with disk.path.open("rb") as device:
            extended = mbr.extended_of(device.read(mbr.MBR_BYTES))
    except OSError:
        return disk  # told as its damage
    if extended is None:
        return disk
    size = extended.length * disk.logical_sector_bytes
    parts = (
        replace(part, size_bytes=size) if part.type == types.EXTENDED else part
        for part in disk.partitions
    )
    return replace(disk, partitions=tuple(parts))


def _examined(disk: Disk) -> Disk:
    """With what the bytes of its table say: damage, a hybrid MBR, and names as they are.

    Tools decode names unit by unit, each in its own way.
    """
    sector = disk.logical_sector_bytes
    found = examine(disk.path, disk.size_bytes, sector)
    disk = replace(disk, damage=disk.damage + found.damage)
    if found.copy is None or disk.table is not TableKind.GPT:
        return disk
    names, room = found.copy.names, len(found.copy.raw_entries)
    return replace(
        disk,
        partitions=tuple(
            replace(part, name=names.get(part.number, part.name)) for part in disk.partitions
        ),
        entries_bytes=room if room > ENTRIES_BYTES else 0,
        hybrid=tuple((row.start * sector, row.length * sector) for row in found.hybrid),
    )


def _card_name(path: Path) -> str:
    """The name of an eMMC or memory card, which lsblk does not tell."""
    file = Path("/sys/class/block", path.name, "device/name")
    return file.read_text().strip() if path.name.startswith("mmcblk") and file.exists() else ""


def _with_places(disk: Disk) -> Disk:
    """Partitions of a map are maps themselves, of which the kernel tells no start.

    One that the kernel has not mapped is shown without a path, as in a file; so is one whose map
    is of another table, for it leads elsewhere.
    """
    try:
        table, written = read_table(disk.path)
    except PartitionError as error:
        return replace(disk, damage=(*disk.damage, error.message))
    if table is TableKind.NONE:
        return disk
    maps = {part.number: part for part in disk.partitions}
    placed = (_with_map(part, maps.get(part.number)) for part in written)
    return replace(disk, table=table, partitions=tuple(placed))


def _with_map(written: Partition, there: Partition | None) -> Partition:
    if there is None:
        return written
    if there.size_bytes != written.size_bytes:
        return replace(written, use=there.use, mountpoints=there.mountpoints)
    return replace(there, start_bytes=written.start_bytes)
