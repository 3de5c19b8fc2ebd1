# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks as Clonezilla and FOG saved them, seen as images of whole disks.

Their table is sfdisk's own dump, or of old ones the copy of a GPT: it is written on a sparse draft,
and the draft is read like any disk. What is in the folder beside it is the business of
``oglib.image.reading.formats``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from blake3 import blake3

from oglib.deploy.opening import reference
from oglib.deploy.opening.foreign import in_folder
from oglib.deploy.opening.policy import judge_unsigned
from oglib.deploy.whole_disk.exact import with_sectors_of_folder
from oglib.deploy.whole_disk.fit import Wanted
from oglib.deploy.whole_disk.image import WholeDisk
from oglib.disk import types
from oglib.disk.loop import attached
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.probing.probe import probe_target
from oglib.disk.tables import gpt
from oglib.disk.tables.identity import identity_of
from oglib.disk.tables.mbr import CODE_BYTES, MBR_BYTES
from oglib.errors import ImageError, ProcessError
from oglib.image.any import Image
from oglib.image.format.disk_manifest import Content, DiskPart, Gap
from oglib.image.reading.opened import Policy
from oglib.image.reading.stretch import Raw
from oglib.run import run
from oglib.settings import Settings

if TYPE_CHECKING:
    from oglib.image.reading.formats.folders.folder import FolderImage
    from oglib.image.reading.formats.folders.stored_gpt import StoredGpt

_MOST_DISK_BYTES = 1 << 50
_MBR_MARK = b"\x55\xaa"
# one partition of type ee over the whole disk
_PROTECTIVE = bytes(446) + bytes.fromhex("00000200eeffffff01000000ffffffff") + bytes(48) + _MBR_MARK


@contextmanager
def opened_folder(path: Path, policy: Policy, settings: Settings) -> Iterator[WholeDisk]:
    """The folder's table and partitions; ``ImageError`` where it holds no table."""
    folder = _folder_at(path)
    warning = judge_unsigned(path.name, str(path), policy.unsigned_local)
    if folder.table is None:
        raise ImageError(
            f"The {folder.tool} image {path} holds partitions and no partition table.",
            hint=f"Restore them singly: `og image restore {_first_part(folder)} DISK PART`.",
        )
    wanted = _wanted(folder)

    @contextmanager
    def open_part(number: int) -> Iterator[Image]:
        device = folder.parts[number].device
        with reference.opened(str((folder.path / device).absolute()), settings) as image:
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
        lacking=folder.lacking,
        others=folder.others,
    )


def _folder_at(path: Path) -> FolderImage:
    """A folder's first disk, or the one that ``FOLDER/sdb`` names."""
    from oglib.image.reading.formats.folders.folder import folder_image  # noqa: PLC0415 - only where one is met

    found = in_folder(path)
    if found is None:
        return folder_image(path)
    folder, number = found
    if number:
        raise ImageError(f"{path} is one partition of an image, not the whole disk.")
    return folder


def _first_part(folder: FolderImage) -> str:
    return f"{folder.path}/{next((part.device for part in folder.parts.values()), 1)}"


def _wanted(folder: FolderImage) -> Wanted:
    sector = folder.sector_size or 512
    size = folder.disk_bytes or _least_bytes(folder)
    if size > _MOST_DISK_BYTES:
        raise ImageError(f"The partition table in {folder.path} is of an impossible disk.")
    with _drafted(folder, size, sector) as disk:
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
        wanted = Wanted(
            disk.table, identity.disk_id, size, sector, tuple(parts),
            size_told=bool(folder.disk_bytes),
            notes=tuple(
                f"leave out the disk {other} of this folder: "
                f"`og image restore {folder.path}/{other} DISK` restores it"
                for other in folder.others
            ),
        )  # fmt: skip
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
    if part.number in folder.left_out:
        return replace(saved, content=Content.LEFT_OUT)
    return replace(saved, content=Content.EXTENDED) if part.type == types.EXTENDED else saved


def _least_bytes(folder: FolderImage) -> int:
    """A disk that takes the table, where the folder does not tell how large it was."""
    ends = [row.start + row.size for row in folder.table.rows] if folder.table else []
    end = max(ends, default=0) * (folder.sector_size or 512)
    return max(-(-end // MIB) * MIB + MIB, folder.minimum_disk_bytes)


@contextmanager
def _drafted(folder: FolderImage, size: int, sector: int) -> Iterator[Disk]:
    """A disk with the table that the folder holds."""
    with tempfile.TemporaryDirectory(prefix="oglive-dump-") as place:
        path = Path(place) / "draft"
        with path.open("wb") as draft:
            draft.truncate(size)
            if not folder.table_dump and folder.gpt:
                _write_gpt(draft, folder.gpt, folder.mbr, size)
        with attached(path, sector_bytes=sector) as device:
            if folder.table_dump:
                _write_dump(device, folder.table_dump)
            disk = probe_target(device)
            if disk.table not in (TableKind.GPT, TableKind.MSDOS) or disk.damage:
                raise ImageError(
                    f"The partition table in {folder.path} is none that is written here: "
                    f"{' '.join(disk.damage) or 'neither gpt nor msdos'}."
                )
            yield disk


def _write_dump(device: Path, dump: str) -> None:
    try:
        run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", device, stdin=dump)
    except ProcessError as error:
        raise ImageError(
            f"sfdisk does not understand the folder's partition table: {error.message}"
        ) from error


def _write_gpt(draft: BinaryIO, stored: StoredGpt, mbr: bytes, size: int) -> None:
    sector = stored.sector_size
    try:
        laid = gpt.laid_out(stored.copy, size // sector, sector)
    except ValueError as error:
        raise ImageError(f"The folder's copy of a GPT contradicts itself: {error}.") from error
    whole = len(mbr) == len(_PROTECTIVE) and mbr.endswith(_MBR_MARK)
    for at, raw in ((0, mbr if whole else _PROTECTIVE), *laid.backup, *laid.primary):
        draft.seek(at * sector)
        draft.write(raw)


def _gaps(folder: FolderImage, wanted: Wanted) -> tuple[tuple[Gap, Raw], ...]:
    """Boot code and, behind an MBR, what lies before the first partition.

    That is read when it is written, and has no digest.
    """
    first = min((part.start_bytes for part in wanted.parts), default=wanted.size_bytes)
    gaps: list[tuple[Gap, Raw]] = []
    if any(code := folder.mbr[:CODE_BYTES]):
        gaps.append((Gap(0, 0, len(code), blake3(code).hexdigest()), code))
    if wanted.table is TableKind.MSDOS and folder.gap:
        # Both programs count in 512 bytes, whatever sectors the disk has.
        gap = folder.gap.first(first - MBR_BYTES)
        gaps.append((Gap(0, MBR_BYTES, gap.length, ""), gap))
    return tuple(gaps)
