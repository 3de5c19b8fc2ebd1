# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks as Clonezilla and FOG saved them, seen as images of whole disks.

Their table is sfdisk's own dump, or of old ones the copy of a GPT: it is written on a sparse draft,
and the draft is read like any disk. What is in the folder beside it is the business of
``oglib.image.reading.formats``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from blake3 import blake3

from oglib.deploy.opening.foreign_image import files_in, in_folder, open_part
from oglib.deploy.opening.opened import scratch_folder
from oglib.deploy.opening.policy import judge_unsigned, policy_on, share_of
from oglib.deploy.whole_disk.exact import with_sectors_of_folder
from oglib.deploy.whole_disk.sizing import ImagedDisk
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.disk import types
from oglib.disk.loop import attached
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.probe import probe_target
from oglib.disk.tables import gpt
from oglib.disk.tables.identity import identity_of
from oglib.disk.tables.mbr import CODE_BYTES, MBR_BYTES
from oglib.errors import ImageError, ProcessError
from oglib.image.any import Image
from oglib.image.format.disk_manifest import Content, DiskPart, Gap
from oglib.image.reading.stretch import Raw, Stretch
from oglib.run import run
from oglib.settings import Settings

if TYPE_CHECKING:
    from oglib.image.reading.formats.folders.saved_disk import FolderImage, PartImage, SwapInfo
    from oglib.image.reading.formats.folders.stored_gpt import StoredGpt

_MOST_DISK_BYTES = 1 << 50
_MBR_MARK = b"\x55\xaa"
# one partition of type ee over the whole disk
_PROTECTIVE = bytes(446) + bytes.fromhex("00000200eeffffff01000000ffffffff") + bytes(48) + _MBR_MARK


def disk_at(path: Path) -> FolderImage | None:
    """The disk that ``path`` names in a foreign folder: the first one, or that of ``FOLDER/sdb``.

    None where it is no such folder, and for one of its partitions.
    """
    if path.is_dir():
        from oglib.image.reading.formats.folders.folder import folder_at  # noqa: PLC0415 - only where one is met

        return folder_at(path)
    found = in_folder(path)
    return found[0] if found and not found[1] else None


def whole_of(folder: FolderImage, named: Path, settings: Settings) -> WholeDisk:
    """The folder's table and partitions; ``ImageError`` where it holds no table.

    ``named``: as a person named it.
    """
    allowed = policy_on(share_of(folder.path), settings).unsigned_local
    warning = judge_unsigned(named.name, str(named), allowed)
    if folder.table is None:
        raise ImageError(
            f"The {folder.tool} image {named} holds partitions and no partition table.",
            hint=f"Restore them singly: `og image restore {_first_part(folder)} DISK PART`.",
        )
    imaged = _imaged_disk(folder)
    parts, place = folder.parts, folder.path.absolute()

    @contextmanager
    def open_one(number: int) -> Iterator[Image]:
        part = parts[number]
        where = str(place / part.device)
        doubt = judge_unsigned(part.device, where, allowed)
        with scratch_folder() as scratch:
            opened = open_part(part, where, doubt, scratch, files=part.volumes)
            with closing(opened) as image:
                yield image

    return WholeDisk(
        tool="clonezilla" if folder.tool == "clonezilla" else "fog",
        name=named.resolve().name,
        where=str(named),
        imaged=imaged,
        gaps=_gaps(folder.mbr, folder.gap, imaged),
        firmware=folder.firmware,
        info=lambda: folder.info,
        open_part=open_one,
        warnings=(warning,),
        missing=folder.unserved,
        lacking=folder.lacking,
        others=folder.others,
        files=files_in(place),
    )


def _first_part(folder: FolderImage) -> str:
    return f"{folder.path}/{next((part.device for part in folder.parts.values()), 1)}"


def _imaged_disk(folder: FolderImage) -> ImagedDisk:
    sector = folder.sector_size or 512
    size = folder.disk_bytes or folder.least_bytes
    if size > _MOST_DISK_BYTES:
        raise ImageError(f"The partition table in {folder.path} is of an impossible disk.")
    table = _Table(str(folder.path), folder.table_dump, folder.gpt, folder.mbr)
    contents = _Contents(folder.parts, folder.swaps, folder.left_out)
    with table.drafted(size, sector) as disk:
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
            parts.append(contents.filled(saved, part))
        imaged = ImagedDisk(
            disk.table, identity.disk_id, size, sector, tuple(parts),
            size_known=bool(folder.disk_bytes),
            notes=tuple(
                f"leave out the disk {other} of this folder: "
                f"`og image restore {folder.path}/{other} DISK` restores it"
                for other in folder.others
            ),
        )  # fmt: skip
        sectors = folder.table_sectors or ((0, folder.mbr),)
        return with_sectors_of_folder(imaged, sectors, disk)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a folder holds, by the numbers of its disk's partitions."""

    parts: dict[int, PartImage]
    swaps: dict[int, SwapInfo]
    left_out: tuple[int, ...]

    def filled(self, saved: DiskPart, part: Partition) -> DiskPart:
        """The partition with what the folder holds for it."""
        if part.number in self.parts:
            there = self.parts[part.number]
            with closing(there.open()) as stream:
                needed = stream.info.required_bytes
            return replace(
                saved,
                content=Content.IMAGE,
                filesystem=there.filesystem,
                required_bytes=needed or part.size_bytes,
            )
        if part.number in self.swaps:
            swap = self.swaps[part.number]
            return replace(saved, content=Content.SWAP, uuid=swap.uuid, label=swap.label)
        if part.number in self.left_out:
            return replace(saved, content=Content.LEFT_OUT)
        extended = part.type == types.EXTENDED
        return replace(saved, content=Content.EXTENDED) if extended else saved


@dataclass(frozen=True, slots=True)
class _Table:
    """What a folder holds of its disk's table: sfdisk's dump, or else the copy of a GPT."""

    called: str
    dump: str
    gpt: StoredGpt | None
    mbr: bytes

    @contextmanager
    def drafted(self, size: int, sector: int) -> Iterator[Disk]:
        """A disk with this table."""
        with tempfile.TemporaryDirectory(prefix="oglive-dump-") as place:
            path = Path(place) / "draft"
            with path.open("wb") as draft:
                draft.truncate(size)
                if not self.dump and self.gpt:
                    _write_gpt(draft, self.gpt, self.mbr, size)
            with attached(path, sector_bytes=sector) as device:
                if self.dump:
                    _write_dump(device, self.dump)
                disk = probe_target(device)
                if disk.table not in (TableKind.GPT, TableKind.MSDOS) or disk.damage:
                    raise ImageError(
                        f"The partition table in {self.called} is none that is written here: "
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


def _gaps(mbr: bytes, behind: Stretch | None, imaged: ImagedDisk) -> tuple[tuple[Gap, Raw], ...]:
    """Boot code and, behind an MBR, what lies before the first partition.

    That is read when it is written, and has no digest.
    """
    first = min((part.start_bytes for part in imaged.parts), default=imaged.size_bytes)
    gaps: list[tuple[Gap, Raw]] = []
    if any(code := mbr[:CODE_BYTES]):
        gaps.append((Gap(0, 0, len(code), blake3(code).hexdigest()), code))
    if imaged.table is TableKind.MSDOS and behind:
        # Both programs count in 512 bytes, whatever sectors the disk has.
        gap = behind.first(first - MBR_BYTES)
        gaps.append((Gap(0, MBR_BYTES, gap.length, ""), gap))
    return tuple(gaps)
