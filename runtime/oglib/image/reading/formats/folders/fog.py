# SPDX-License-Identifier: GPL-3.0-or-later
"""FOG's image folders, by the names its FOS gives; "d1" is the first disk.

d1.mbr                      sectors up to the first partition; for GPT a file of sgdisk --backup
d1.partitions               sfdisk --dump (older: d1.original.partitions)
d1.minimum.partitions       the same, partitions as small as FOG made them: what must fit
d1p1.img[.000 .001 ...]     partclone (compressed or not), partimage or raw, told by content;
                            of several volumes the first is d1p1.img, the next d1p1.img.001
d1.original.swapuuids       number and UUID of each swap partition
d1.original.fstypes         device and filesystem of each partition
d1p2.lvm, d1p2.<lv>.img     LVM, which nobody restores from here
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from oglib.errors import ImageError, NotFoundError
from oglib.image.reading.formats.folders.saved_disk import (
    FolderImage,
    PartImage,
    SwapInfo,
    first_bytes,
    gap_in,
    own_volumes,
    small_text,
)
from oglib.image.reading.formats.folders.stored_gpt import FILE_BYTES, StoredGpt, gpt_of_sgdisk
from oglib.image.reading.formats.folders.table_dump import TableDump, parse_dump

_IMAGE = re.compile(r"^(?P<disk>d\d+)p(?P<number>\d{1,4})\.img(?:\.0+)?\Z", re.ASCII)
_MARK = re.compile(r"^(?P<disk>d\d+)\.(?:mbr|partitions|original\.partitions)\Z", re.ASCII)
_UNSERVED = re.compile(r"^(?P<disk>d\d+)p\d+\.(?:lvm|[^.]+\.img(?:\.0+)?)\Z", re.ASCII)
_OLD = re.compile(r"^(?:sys|rec)\.img\.\d{3}\Z", re.ASCII)
_NUMBER = re.compile(r"(?:^|\D)(?P<number>\d{1,4})\Z", re.ASCII)
_UUID = re.compile(r"[0-9A-Fa-f-]{8,36}")
_WORDS = 2
_SECTOR = 512


def is_one(names: set[str]) -> bool:
    """Whether a folder with these names in it is FOG's."""
    images = any(_IMAGE.match(name) or _OLD.match(name) for name in names)
    return images and any(_MARK.match(name) or _OLD.match(name) for name in names)


def read(path: Path, disk: str) -> FolderImage:
    """See ``folder_image``."""
    names = sorted(each.name for each in path.iterdir())
    disks = tuple(dict.fromkeys(found["disk"] for name in names if (found := _MARK.match(name))))
    if not disks:
        raise ImageError(
            f"The folder {path} is of a FOG before version 1, which kept no partition table.",
            hint="Restore its files one by one: `og image restore FOLDER/sys.img.000 DISK PART`.",
        )
    disk = disk or disks[0]
    if disk not in disks:
        raise NotFoundError(
            f"The image {path} has no disk {disk}.", hint=f"It has: {' '.join(disks):.200}."
        )
    boot = path / f"{disk}.mbr"
    gpt = gpt_of_sgdisk(first_bytes(boot, FILE_BYTES))
    dump, table = _table(path, disk, gpt)
    if table and table.label != "gpt":
        gpt = None  # an MBR, and behind it what is left of an older GPT
    return FolderImage(
        path, "fog", disk, disks, _parts(path, disk, names, table), _swaps(path, disk), table, dump,
        gpt, mbr=first_bytes(boot, _SECTOR), gap=None if gpt else gap_in(boot, _SECTOR),
        firmware=table.firmware if table else "", disk_bytes=_disk_bytes(table, gpt),
        minimum_disk_bytes=_minimum(path, disk, table),
        unserved=tuple(
            name for name in names if (found := _UNSERVED.match(name)) and found["disk"] == disk
        ),
    )  # fmt: skip


def _table(path: Path, disk: str, gpt: StoredGpt | None) -> tuple[str, TableDump | None]:
    """The dump of sfdisk, and what it says; or no dump, and what the stored GPT says."""
    dump = small_text(path / f"{disk}.partitions") or small_text(
        path / f"{disk}.original.partitions"
    )
    table = parse_dump(dump) if dump.strip() else None
    if table and table.protective and gpt:
        table = None
    return (dump, table) if table else ("", gpt.table if gpt else None)


def _disk_bytes(table: TableDump | None, gpt: StoredGpt | None) -> int:
    """The size of the disk, which FOG keeps of a GPT alone; 0 where it does not."""
    stated = (gpt.disk_bytes if gpt else 0, table.stated_disk_bytes if table else 0)
    least = table.disk_bytes if table else 0
    return next((size for size in stated if size and size >= least), 0)


def _parts(
    path: Path, disk: str, names: list[str], table: TableDump | None
) -> dict[int, PartImage]:
    kinds = dict(_numbered(small_text(path / f"{disk}.original.fstypes")))
    parts = {}
    for name in names:
        found = _IMAGE.match(name)
        if not found or found["disk"] != disk:
            continue
        number = int(found["number"])
        row, sector = (table.row(number), table.sector_size) if table else (None, 0)
        parts[number] = PartImage(
            number, f"{disk}p{number}", kinds.get(number, ""), own_volumes(path / name),
            start_bytes=row.start * sector if row else 0,
            size_bytes=row.size * sector if row else 0,
        )  # fmt: skip
    return parts


def _swaps(path: Path, disk: str) -> dict[int, SwapInfo]:
    lines = _numbered(small_text(path / f"{disk}.original.swapuuids"))
    return {number: SwapInfo(uuid) for number, uuid in lines if _UUID.fullmatch(uuid)}


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """The lines of ``2 WORD`` or ``/dev/sda2 WORD``; others are none of FOG's."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == _WORDS and (found := _NUMBER.search(words[0])):
            yield int(found["number"]), words[1]


def _minimum(path: Path, disk: str, table: TableDump | None) -> int:
    """What FOG itself asks for: its partitions as small as they can be, one behind the other."""
    text = small_text(path / f"{disk}.minimum.partitions")
    if text.strip():
        return parse_dump(text).packed_bytes
    return table.disk_bytes if table else 0
