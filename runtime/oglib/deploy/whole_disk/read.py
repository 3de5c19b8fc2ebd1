# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk holds, as the image of it will say: every partition, and the bytes between them.

Reads and judges before a capture writes anything. What cannot be captured is refused by name:
a disk image with a hole in it is found out only when it is needed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from oglib.disk import types
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.planning.planned import Identity
from oglib.disk.starts import starters_of, the_only
from oglib.disk.tables.exact import Exact, read_exact
from oglib.disk.tables.gpt import fitting_name
from oglib.disk.tables.identity import identity_of
from oglib.disk.tables.mbr import CODE_BYTES
from oglib.disk.writing.sectors import without
from oglib.errors import FilesystemError, OgErr, PartitionError, printable
from oglib.filesystem.kinds import KINDS
from oglib.filesystem.probe import FilesystemInfo, probe_filesystem
from oglib.image.format.disk_manifest import MOST_NUMBER, Content, DiskPart
from oglib.image.recording.device_capture import check_source
from oglib.wording.amounts import human_bytes

_RAW_MOST_BYTES = 32 * MIB  # partitions without a filesystem that hold a few bytes of boot code
_FIRST_GAP_MOST_BYTES = 8 * MIB  # boot loaders use the first MiB
_EMPTY_TYPES = ("WIN-RESERV", types.CACHE)


@dataclass(frozen=True, slots=True)
class DiskRead:
    """What was found. ``stretches`` are (partition or 0, offset in it, content) of raw bytes."""

    identity: Identity
    parts: tuple[DiskPart, ...]
    kinds: dict[int, str]
    stretches: tuple[tuple[int, int, bytes], ...]
    exact: Exact
    firmware: str
    warnings: tuple[str, ...]


def read_disk(disk: Disk) -> DiskRead:
    """Look at every partition; raises where the disk cannot be captured as a whole."""
    if disk.damage:
        raise PartitionError(
            f"The partition table of {disk.describe()} is damaged, so it is not captured: "
            f"{' '.join(disk.damage)}",
            hint="A GPT with one good copy is repaired by 'og disk repair'.",
        )
    if disk.table not in (TableKind.GPT, TableKind.MSDOS):
        raise PartitionError(
            f"{disk.describe()} has no partition table that can be captured.",
            hint="Capture what is on it: `og image create DISK NAME` of the device itself.",
        )
    _refuse_numbers(disk)
    identity = identity_of(disk)
    exact = _exact(disk)
    parts, kinds, warnings = [], {}, []
    stretches = list(_front(disk, exact))
    for part in disk.partitions:
        info = _probed(disk, part)
        content = _content(disk, part, info)
        if content is Content.IMAGE:
            with partition_device(disk, part) as device:
                check_source(device, info.kind, raw=False, dirty=False)
            kinds[part.number] = info.kind
        if content is Content.GAP:
            stretches.append((part.number, 0, _read(disk, part.start_bytes, part.size_bytes)))
        if content is Content.EMPTY:
            warnings.append(f"Partition {part.number} ({part.type}) will be empty in the image.")
        parts.append(_described(part, info, content, identity))
    return DiskRead(
        identity=identity,
        parts=tuple(parts),
        kinds=kinds,
        stretches=tuple(stretches),
        exact=exact,
        firmware=the_only(starters_of(disk)),
        warnings=tuple(warnings),
    )


def parts_of(disk: Disk) -> tuple[Partition, ...]:
    """The partitions that hold something."""
    return tuple(part for part in disk.partitions if part.type != types.EXTENDED)


def _refuse_numbers(disk: Disk) -> None:
    for part in disk.partitions:
        if part.number > MOST_NUMBER:
            raise PartitionError(
                f"{disk.describe()} has a partition {part.number}; the image of a disk numbers "
                f"them up to {MOST_NUMBER}.",
                hint="Capture its partitions one by one.",
            )


def _exact(disk: Disk) -> Exact:
    """The sectors of its table, to be put back to the byte."""
    with disk.path.open("rb", buffering=0) as device:
        try:
            return read_exact(
                lambda offset, length: os.pread(device.fileno(), length, offset),
                disk.table,
                disk.size_bytes,
                disk.logical_sector_bytes,
            )
        except ValueError as error:
            raise PartitionError(
                f"The partition table of {disk.describe()} is not captured: {error}",
                hint="Look at it again: something changed it meanwhile.",
            ) from error


def _front(disk: Disk, exact: Exact) -> tuple[tuple[int, int, bytes], ...]:
    """Boot code, and what lies before the first partition beside the table."""
    table = [(at, at + len(raw)) for at, raw in exact.stretches]
    begin = max(end for at, end in table if at <= exact.sector_bytes)
    first = min((part.start_bytes for part in disk.partitions), default=begin)
    gaps = [(0, 0, _read(disk, 0, CODE_BYTES))]
    end = min(first, begin + _FIRST_GAP_MOST_BYTES)
    for low, high in without([(begin, end)], table):
        gaps.append((0, low, _read(disk, low, high - low)))
    return tuple(gaps)


def _read(disk: Disk, offset: int, length: int) -> bytes:
    with disk.path.open("rb") as device:
        device.seek(offset)
        return device.read(length)


def _probed(disk: Disk, part: Partition) -> FilesystemInfo:
    """From the device itself: what udev remembers may be old."""
    if part.type == types.EXTENDED:
        return FilesystemInfo("")
    with partition_device(disk, part) as device:
        return probe_filesystem(device)


def _content(disk: Disk, part: Partition, info: FilesystemInfo) -> Content:
    if part.type == types.EXTENDED:
        return Content.EXTENDED
    if part.type in _EMPTY_TYPES:
        return Content.EMPTY
    if info.kind == "swap":
        return Content.SWAP
    row = KINDS.get(info.name)
    if row is not None and row.partclone:
        return Content.IMAGE
    what = f"Partition {part.number} of {disk.describe()}"
    if info.kind:
        said = row.holder if row is not None else ""
        said = said or f"a {info.kind}, which partclone does not know"
        raise FilesystemError(
            f"{what} is {said}: the disk cannot be captured as a whole.",
            hint="Capture its other partitions one by one, logical volumes by their own names; "
            "`og image create --raw` takes what is not understood.",
            code=OgErr.PARTITION,
        )
    if part.size_bytes <= _RAW_MOST_BYTES:
        return Content.GAP
    if any(_read(disk, part.start_bytes, MIB)):
        raise FilesystemError(
            f"{what} ({human_bytes(part.size_bytes)}) holds something that is not recognised: the "
            "disk cannot be captured as a whole.",
            hint="Capture its partitions one by one; `og image create --raw` takes this one.",
            code=OgErr.PARTITION,
        )
    return Content.EMPTY


def _described(
    part: Partition, info: FilesystemInfo, content: Content, identity: Identity
) -> DiskPart:
    mark = identity.marks.get(part.number)
    return DiskPart(
        number=part.number,
        start_bytes=part.start_bytes,
        size_bytes=part.size_bytes,
        type_id=part.type_id,
        content=content,
        name=fitting_name(printable(part.name)),
        partuuid=mark.guid if mark else part.partuuid,
        attributes=mark.attributes if mark else 0,
        active=part.active,
        filesystem=info.name,
        label=printable(info.label),
        uuid=info.uuid,
    )
