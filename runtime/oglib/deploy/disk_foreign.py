# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks as Clonezilla and FOG saved them, seen as images of whole disks.

Their table is sfdisk's own dump: sfdisk writes it on a sparse draft, and the draft is read like
any disk. What is in the folder beside it is ``oglib.image.formats``' business.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from oglib.deploy import source
from oglib.deploy.disk_exact import with_sectors_of_folder
from oglib.deploy.disk_fit import Wanted
from oglib.deploy.disk_source import WholeDisk
from oglib.deploy.policy import judge_unsigned
from oglib.disk import types
from oglib.disk.gpt import ENTRIES_BYTES
from oglib.disk.identity import identity_of
from oglib.disk.loop import attached
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.probe import probe_target
from oglib.errors import ImageError, ProcessError
from oglib.image import Policy
from oglib.image.disk_image import BOOT_CODE_BYTES, Content, DiskPart, Gap
from oglib.image.foreign import Image
from oglib.run import run
from oglib.settings import Settings

if TYPE_CHECKING:
    from oglib.image.formats import FolderImage

_LAST_LBA = re.compile(r"^last-lba:\s*(\d{1,18})\s*$", re.MULTILINE)
_PLACE = re.compile(r"start=\s*(\d{1,18}),\s*size=\s*(\d{1,18})")
_DUMP_BYTES = 1 << 20
_MOST_DISK_BYTES = 1 << 50


@contextmanager
def opened_folder(path: Path, policy: Policy, settings: Settings) -> Iterator[WholeDisk]:
    """The folder's table and partitions; ``ImageError`` where it holds no table."""
    from oglib.image.formats import folder_image  # noqa: PLC0415 - only where one is met

    folder = folder_image(path)
    warning = judge_unsigned(path.name, str(path), policy.unsigned_local)
    if not folder.table_dump:
        raise ImageError(
            f"The {folder.tool} image {path} holds partitions and no partition table.",
            hint=f"Restore them singly: `og image restore {path}/1 DISK PART`.",
        )
    wanted = _wanted(folder)

    @contextmanager
    def open_part(number: int) -> Iterator[Image]:
        with source.opened(f"{path}/{number}", settings) as image:
            yield image

    yield WholeDisk(
        tool="clonezilla" if folder.tool == "clonezilla" else "fog",
        name=path.resolve().name,
        where=str(path),
        wanted=wanted,
        gaps=_gaps(folder, wanted),
        firmware=folder.firmware,
        info=folder.info,
        open_part=open_part,
        warnings=(warning,),
        missing=folder.unserved,
    )


def _wanted(folder: FolderImage) -> Wanted:
    sector = folder.sector_size or 512
    size = _disk_bytes(folder, sector)
    with _drafted(folder.table_dump, size, sector) as disk:
        identity = identity_of(disk)
        parts = []
        for part in disk.partitions:
            mark = identity.marks.get(part.number)
            saved = DiskPart(
                number=part.number,
                start_bytes=part.start_bytes,
                size_bytes=part.size_bytes,
                type_id=part.type_id,
                content=Content.EMPTY,
                name=part.name,
                partuuid=part.partuuid,
                attributes=mark.attributes if mark else 0,
                active=part.active,
            )
            parts.append(_filled(saved, part, folder))
        wanted = Wanted(disk.table, identity.disk_id, size, sector, tuple(parts))
        sectors = folder.table_sectors or ((0, folder.mbr),)
        return with_sectors_of_folder(wanted, sectors, disk)


def _filled(saved: DiskPart, part: Partition, folder: FolderImage) -> DiskPart:
    """The partition with what the folder holds for it."""
    if part.number in folder.parts:
        there = folder.parts[part.number]
        stream = folder.open_part(part.number)
        try:
            needed = stream.info.required_bytes
        finally:
            stream.close()
        return replace(
            saved,
            content=Content.IMAGE,
            filesystem=there.filesystem,
            required_bytes=needed or part.size_bytes,
        )
    if part.number in folder.swaps:
        swap = folder.swaps[part.number]
        return replace(saved, content=Content.SWAP, uuid=swap.uuid, label=swap.label)
    return replace(saved, content=Content.EXTENDED) if part.type == types.EXTENDED else saved


def _disk_bytes(folder: FolderImage, sector: int) -> int:
    """The disk the dump is of, as far as it tells: a gpt says where its last usable sector is."""
    found = _LAST_LBA.search(folder.table_dump)
    ends = [(int(start) + int(size)) * sector for start, size in _PLACE.findall(folder.table_dump)]
    if found:
        ends.append((int(found[1]) + 2) * sector + ENTRIES_BYTES)
    else:
        ends = [-(-end // MIB) * MIB + MIB for end in ends]
    size = max([*ends, folder.minimum_disk_bytes])
    if size > _MOST_DISK_BYTES:
        raise ImageError(f"The partition table in {folder.path} is of an impossible disk.")
    return size


@contextmanager
def _drafted(dump: str, size: int, sector: int) -> Iterator[Disk]:
    """A disk with the table that the dump describes."""
    if len(dump) > _DUMP_BYTES:
        raise ImageError("The folder's partition table has more than can be one.")
    with tempfile.TemporaryDirectory(prefix="oglive-dump-") as folder:
        path = Path(folder) / "draft"
        with path.open("wb") as draft:
            draft.truncate(size)
        with attached(path, sector_bytes=sector) as device:
            try:
                run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", device, stdin=dump)
            except ProcessError as error:
                raise ImageError(
                    f"sfdisk does not understand the folder's partition table: {error.message}"
                ) from error
            disk = probe_target(device)
            if disk.table not in (TableKind.GPT, TableKind.MSDOS):
                raise ImageError("The folder's partition table is neither gpt nor msdos.")
            yield disk


def _gaps(folder: FolderImage, wanted: Wanted) -> tuple[tuple[Gap, bytes], ...]:
    """Boot code and, behind an MBR, what lies before the first partition."""
    first = min((part.start_bytes for part in wanted.parts), default=wanted.size_bytes)
    stretches = [(0, folder.mbr[:BOOT_CODE_BYTES])]
    if wanted.table is TableKind.MSDOS:
        stretches.append((wanted.sector_bytes, folder.gap[: max(0, first - wanted.sector_bytes)]))
    return tuple(
        (Gap(0, offset, len(raw), blake3(raw).hexdigest()), raw)
        for offset, raw in stretches
        if raw.strip(b"\0")
    )
