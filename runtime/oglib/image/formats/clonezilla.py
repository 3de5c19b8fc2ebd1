# SPDX-License-Identifier: GPL-3.0-or-later
"""Clonezilla's image folders, by the names its ocs-sr gives (5.x, and older ones).

parts, disk            the partitions and disks in it
sda-pt.sf              sfdisk --dump; beside it sda-mbr, sda-hidden-data-after-mbr,
                       sda-gpt.gdisk, sda-gpt-1st, sda-gpt-2nd
sda1.ext4-ptcl-img.zst[.aa .ab ...]      partclone
sda1.ext4-img, sda1.ntfs-img, sda1.000   the same, ntfsclone and partimage, of older ones
sda1.dd-ptcl-img.gz, sda1.dd-img         raw copies
swappt-sda3.info       UUID="..." LABEL="..."
"""

from __future__ import annotations

import re
from pathlib import Path

from oglib.errors import NotFoundError
from oglib.image.formats.folder_model import (
    FolderImage,
    PartImage,
    SwapInfo,
    has_file,
    own_volumes,
    small_bytes,
    small_text,
    small_words,
)
from oglib.image.formats.table_dump import TableDump, parse_dump

_IMAGE = re.compile(
    r"^(?P<device>[^.]+)\.(?:(?P<filesystem>[A-Za-z0-9+_]+)-(?:ptcl-img"
    r"(?:\.(?:gz|bz2|lzo|lzma|xz|lzip|lrz|lz4|zst|uncomp))?|img)(?:\.[a-z]{2,9})?|\d{3})\Z",
    re.ASCII,
)
_MARKS = ("clonezilla-img", "blkdev.list", "dev-fs.list", "disk")
# A disk whose name ends with a digit has a p before the partition's number.
_DEVICE = re.compile(r"^(?P<disk>[a-z]+|.*\d(?=p\d{1,4}\Z))p?(?P<number>\d{1,4})\Z", re.ASCII)
_SHELL = re.compile(r'^(?P<key>UUID|LABEL)="(?P<value>[^"]*)"', re.MULTILINE)
_DD = "dd"


def is_one(names: set[str]) -> bool:
    """Whether a folder with these names in it is Clonezilla's."""
    return "parts" in names and (
        any(mark in names for mark in _MARKS) or any(_IMAGE.match(name) for name in names)
    )


def read(path: Path, disk: str) -> FolderImage:
    """See ``folder_image``."""
    devices = small_words(path / "parts")
    named = [found["disk"] for found in map(_DEVICE.match, devices) if found]
    disks = tuple(dict.fromkeys(small_words(path / "disk") or named))
    disk = disk or (disks[0] if disks else "")
    if disk not in disks or "/" in disk:
        raise NotFoundError(
            f"The image {path} has no disk {disk or 'at all'}.",
            hint=f"It has: {' '.join(disks):.200}.",
        )
    dump = small_text(path / f"{disk}-pt.sf")
    table = parse_dump(dump) if dump.strip() else None
    files = _files(path)
    swaps = _swaps(path, disk)
    parts, unserved = {}, []
    for device in dict.fromkeys((*devices, *files)):
        found = _DEVICE.match(device)
        owner, number = (found["disk"], int(found["number"])) if found else ("", 0)
        if owner == disk and device in files:
            parts[number] = _part(device, number, files[device], table)
        elif owner not in disks or (owner == disk and number not in swaps):
            unserved.append(device)
    gpt = path / f"{disk}-gpt.gdisk"
    uefi = (path / "efi-nvram.dat").is_file()
    return FolderImage(
        path, "clonezilla", disk, disks, parts, swaps, table, dump,
        mbr=small_bytes(path / f"{disk}-mbr"),
        gap=small_bytes(path / f"{disk}-hidden-data-after-mbr"),
        gpt_backup=gpt if has_file(gpt) else None,
        firmware="uefi" if uefi else table.firmware if table else "",
        minimum_disk_bytes=table.disk_bytes if table else 0, unserved=tuple(unserved),
        table_sectors=_table_sectors(path, disk),
    )  # fmt: skip


def _table_sectors(path: Path, disk: str) -> tuple[tuple[int, bytes], ...]:
    """The first 34 and the last 33 sectors of a disk with a GPT, as dd copied them."""
    first, last = small_bytes(path / f"{disk}-gpt-1st"), small_bytes(path / f"{disk}-gpt-2nd")
    return ((0, first), (-len(last), last)) if first and last else ()


def _files(path: Path) -> dict[str, Path]:
    """The first volume of every image, by its device."""
    files: dict[str, Path] = {}
    for each in sorted(path.iterdir()):
        if found := _IMAGE.match(each.name):
            files.setdefault(found["device"], each)
    return files


def _part(device: str, number: int, first: Path, table: TableDump | None) -> PartImage:
    found = _IMAGE.match(first.name)
    filesystem = (found and found["filesystem"]) or ""
    row, sector = (table.row(number), table.sector_size) if table else (None, 0)
    return PartImage(
        number, device, "" if filesystem == _DD else filesystem, own_volumes(first),
        start_bytes=row.start * sector if row else 0, size_bytes=row.size * sector if row else 0,
        raw=filesystem == _DD,
    )  # fmt: skip


def _swaps(path: Path, disk: str) -> dict[int, SwapInfo]:
    swaps = {}
    for file in path.glob("swappt-*.info"):
        found = _DEVICE.match(file.name.removeprefix("swappt-").removesuffix(".info"))
        if found and found["disk"] == disk:
            values = {each["key"]: each["value"] for each in _SHELL.finditer(small_text(file))}
            swaps[int(found["number"])] = SwapInfo(values.get("UUID", ""), values.get("LABEL", ""))
    return swaps
