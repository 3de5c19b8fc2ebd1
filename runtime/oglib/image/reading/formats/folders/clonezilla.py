# SPDX-License-Identifier: GPL-3.0-or-later
"""Clonezilla's image folders, by the names its ocs-sr gives (5.x, and older ones).

parts, disk            the partitions and disks in it
sda-pt.sf              sfdisk --dump; before 2015 no table where the disk has a GPT
sda-gpt-1st, sda-gpt-2nd, sda-gpt.gdisk  that GPT: its sectors at both ends, and sgdisk --backup
sda-mbr, sda-hidden-data-after-mbr       the first sector, and up to the first partition
sda-pt.parted, fdisk.list, blkdev.list   what they say of the disk's size
lvm_vg_dev.list, luks-dev.list           partitions that hold other devices
ecryptfs.info          all that is beside it is encrypted
sda1.ext4-ptcl-img.zst[.aa .ab ...]      partclone
sda1.ext4-img, sda1.ntfs-img, sda1.000   the same, ntfsclone and partimage, of older ones
sda1.dd-ptcl-img.gz, sda1.dd-img         raw copies
swappt-sda3.info       UUID="..." LABEL="..."
"""

from __future__ import annotations

import re
from pathlib import Path

from oglib.disk.firmware import Firmware
from oglib.disk.tables.mbr import MBR_BYTES
from oglib.errors import ImageError, NotFoundError
from oglib.image.reading.formats.folders.saved_disk import (
    FolderImage,
    PartImage,
    SwapInfo,
    first_bytes,
    gap_in,
    own_volumes,
    small_text,
    small_words,
)
from oglib.image.reading.formats.folders.stored_gpt import (
    FILE_BYTES,
    StoredGpt,
    gpt_of_first_sectors,
    gpt_of_sgdisk,
)
from oglib.image.reading.formats.folders.table_dump import TableDump, parse_dump

_IMAGE = re.compile(
    r"^(?P<whole>(?P<device>[^.]+)(?:\.(?P<filesystem>[A-Za-z0-9+_]+)-(?:ptcl-)?img"
    r"(?:\.(?:gz|bz2|lzo|lzma|xz|lzip|lrz|lz4|zst|uncomp))?)?)"
    r"(?:\.(?P<volume>(?(filesystem)[a-z]{2,4}|\d{3})))?\Z",
    re.ASCII,
)
_MARKS = ("clonezilla-img", "blkdev.list", "dev-fs.list", "disk")
# A disk whose name ends with a digit has a p before the partition's number.
_DEVICE = re.compile(r"^(?P<disk>[a-z]+|.*\d(?=p\d{1,4}\Z))p?(?P<number>\d{1,4})\Z", re.ASCII)
_ENCRYPTED = "ecryptfs.info"
_HOLDERS = ("lvm_vg_dev.list", "luks-dev.list")
_PARTED_SIZE = re.compile(r"^Disk /dev/\S+:\s*(\d{1,18})s\s*$", re.MULTILINE)
_PARTED_SECTOR = re.compile(r"^Sector size \(logical/physical\): (\d{3,4})B/", re.MULTILINE)
_FDISK_SIZE = re.compile(
    r"^Disk /dev/(?P<disk>\S+): [^\n]*?(?P<bytes>\d{1,18}) bytes", re.MULTILINE
)
_LSBLK_SIZE = re.compile(
    r"^(?P<disk>\S+)[ ]+\S+[ ]+(?P<number>\d{1,9}(?:[.,]\d)?)(?P<unit>[BKMGTP]?)[ ]+disk\b",
    re.MULTILINE,
)
_UNITS = {unit: 1 << 10 * power for power, unit in enumerate("BKMGTP")} | {"": 1}
_SHELL = re.compile(r'^(?P<key>UUID|LABEL)="(?P<value>[^"]*)"', re.MULTILINE)
_OF_IMAGE = re.compile(r'^(?P<key>[a-z_]{1,40})="(?P<value>[^"\n]*)"', re.MULTILINE)
_DD = "dd"


def is_one(names: set[str]) -> bool:
    """Whether a folder with these names in it is Clonezilla's."""
    return _ENCRYPTED in names or (
        "parts" in names
        and (any(mark in names for mark in _MARKS) or any(_is_image(name) for name in names))
    )


def _is_image(name: str) -> bool:
    found = _IMAGE.match(name)
    return found is not None and bool(found["filesystem"] or found["volume"])


def read(path: Path, disk: str) -> FolderImage:
    """See ``folder_image``."""
    return _Saved(path, disk).read()


class _Saved:
    """The files of one of Clonezilla's folders, asked about one of the disks in it."""

    def __init__(self, path: Path, disk: str) -> None:
        self._path = path
        self._refuse_encrypted()
        self._devices = small_words(path / "parts")
        named = [found["disk"] for found in map(_DEVICE.match, self._devices) if found]
        self._disks = tuple(dict.fromkeys(small_words(path / "disk") or named))
        self._disk = disk or (self._disks[0] if self._disks else "")
        if self._disk not in self._disks or "/" in self._disk:
            raise NotFoundError(
                f"The image {path} has no disk {self._disk or 'at all'}.",
                hint=f"It has: {' '.join(self._disks):.200}.",
            )

    def read(self) -> FolderImage:
        """What they say of it."""
        path, disk = self._path, self._disk
        gpt = self._stored_gpt()
        dump, table = self._table(gpt)
        if table and table.label != "gpt":
            gpt = None  # left behind by an older image of that name
        swaps = self._swaps()
        parts, unserved, lacking = self._parts(table, swaps)
        uefi = (path / "efi-nvram.dat").is_file()
        return FolderImage(
            path, "clonezilla", disk, self._disks, parts, swaps, table, dump, gpt,
            mbr=first_bytes(path / f"{disk}-mbr", MBR_BYTES),
            gap=gap_in(path / f"{disk}-hidden-data-after-mbr", 0),
            firmware=Firmware.UEFI if uefi else table.firmware if table else "",
            disk_bytes=self._disk_bytes(table, gpt),
            minimum_disk_bytes=table.disk_bytes if table else 0,
            unserved=tuple(unserved), lacking=tuple(lacking),
            table_sectors=self._table_sectors(),
        )  # fmt: skip

    def _parts(
        self, table: TableDump | None, swaps: dict[int, SwapInfo]
    ) -> tuple[dict[int, PartImage], list[str], list[str]]:
        """The images of its partitions; what nobody restores from here; what is not there."""
        files, holders = self._files(), self._holders()
        parts: dict[int, PartImage] = {}
        unserved, lacking = list[str](), list[str]()
        for device in dict.fromkeys((*self._devices, *files)):
            found = _DEVICE.match(device)
            owner, number = (found["disk"], int(found["number"])) if found else ("", 0)
            own = owner == self._disk
            row = table.row(number) if table else None
            if own and device in files:
                parts[number] = _part(device, number, files[device], table)
            elif owner not in self._disks or (own and device in holders):
                unserved.append(device)
            elif own and number not in swaps and not (row and row.extended):
                lacking.append(
                    f"Partition {number} ({device:.40}) belongs to the image, but the folder has "
                    "no file of it."
                )
        return parts, unserved, lacking

    def _table_sectors(self) -> tuple[tuple[int, bytes], ...]:
        """The first 34 and the last 33 sectors of a disk with a GPT, as dd copied them."""
        first = first_bytes(self._path / f"{self._disk}-gpt-1st", FILE_BYTES)
        last = first_bytes(self._path / f"{self._disk}-gpt-2nd", FILE_BYTES)
        return ((0, first), (-len(last), last)) if first and last else ()

    def _refuse_encrypted(self) -> None:
        told = small_text(self._path / _ENCRYPTED)
        if told or (self._path / _ENCRYPTED).exists():
            values = {each["key"]: each["value"] for each in _OF_IMAGE.finditer(told)}
            of = values.get("disk_of_img") or values.get("parts_of_img") or ""
            raise ImageError(
                f"The Clonezilla image {self._path}{f' of {of:.80}' if of else ''} is encrypted "
                "(eCryptfs).",
                hint="Decrypt it first: `mount -t ecryptfs`, then name the folder it is mounted "
                "at.",
            )

    def _stored_gpt(self) -> StoredGpt | None:
        """Where both are sound they are the same."""
        first = first_bytes(self._path / f"{self._disk}-gpt-1st", FILE_BYTES)
        backup = first_bytes(self._path / f"{self._disk}-gpt.gdisk", FILE_BYTES)
        return gpt_of_first_sectors(first) or gpt_of_sgdisk(backup)

    def _table(self, gpt: StoredGpt | None) -> tuple[str, TableDump | None]:
        """The dump of sfdisk, and what it says; or no dump, and what the stored GPT says."""
        dump = small_text(self._path / f"{self._disk}-pt.sf")
        if not dump.strip():
            return "", gpt.table if gpt else None
        try:
            table = parse_dump(dump)
        except ImageError:
            if gpt is None:
                raise
            return "", gpt.table
        if not table.protective:
            return dump, table
        if gpt is None:
            raise ImageError(
                f"The image {self._path} is of a disk with a GPT, and holds no sound copy of it.",
                hint=f"It should be in {self._disk}-gpt.gdisk or {self._disk}-gpt-1st. Restore the "
                "partitions one by one: "
                f"`og image restore {self._path}/{self._disk}1 DISK PART`.",
            )
        return "", gpt.table

    def _disk_bytes(self, table: TableDump | None, gpt: StoredGpt | None) -> int:
        """The size of the disk, from whoever tells it best; 0 where nobody does.

        What ends before the table's last partition is no size of this disk.
        """
        path, disk = self._path, self._disk
        parted = small_text(path / f"{disk}-pt.parted")
        sector = int(found[1]) if (found := _PARTED_SECTOR.search(parted)) else 512
        told = [
            gpt.disk_bytes if gpt else 0,
            int(found[1]) * sector if (found := _PARTED_SIZE.search(parted)) else 0,
            *(
                int(each["bytes"])
                for each in _FDISK_SIZE.finditer(small_text(path / "fdisk.list"))
                if each["disk"] == disk
            ),
            table.stated_disk_bytes if table else 0,
            *(
                _most_bytes(each["number"], each["unit"])
                for each in _LSBLK_SIZE.finditer(small_text(path / "blkdev.list"))
                if each["disk"] == disk
            ),
        ]
        least = table.disk_bytes if table else 0
        return next((size for size in told if size and size >= least), 0)

    def _holders(self) -> set[str]:
        """The partitions that hold logical volumes or something encrypted."""
        words = {word for name in _HOLDERS for word in small_text(self._path / name).split()}
        return {word.removeprefix("/dev/") for word in words}

    def _files(self) -> dict[str, Path]:
        """The first volume of every image, by its device.

        ``ImageError`` where it is not there, or where two images are of the same device.
        """
        images: dict[str, dict[str, list[Path]]] = {}
        for each in sorted(self._path.iterdir()):
            if _is_image(each.name) and (found := _IMAGE.match(each.name)):
                images.setdefault(found["device"], {}).setdefault(found["whole"], []).append(each)
        return {device: _first(device, found) for device, found in images.items()}

    def _swaps(self) -> dict[int, SwapInfo]:
        swaps = {}
        for file in self._path.glob("swappt-*.info"):
            found = _DEVICE.match(file.name.removeprefix("swappt-").removesuffix(".info"))
            if found and found["disk"] == self._disk:
                values = {each["key"]: each["value"] for each in _SHELL.finditer(small_text(file))}
                swap = SwapInfo(values.get("UUID", ""), values.get("LABEL", ""))
                swaps[int(found["number"])] = swap
        return swaps


def _most_bytes(number: str, unit: str) -> int:
    """The largest size that lsblk rounds so, in whole sectors."""
    whole, _, tenth = number.replace(",", ".").partition(".")
    twentieths = int(whole) * 20 + int(tenth or 0) * 2 + 1
    return twentieths * _UNITS[unit] // 20 // 512 * 512


def _first(device: str, images: dict[str, list[Path]]) -> Path:
    if len(images) > 1:
        raise ImageError(
            f"The folder has {len(images)} images of {device:.40}: {', '.join(images):.200}.",
            hint="Move the one that does not belong to it to another place.",
        )
    ((whole, volumes),) = images.items()
    first = volumes[0]
    volume = first.name.removeprefix(whole).removeprefix(".")
    if volume and set(volume) not in ({"a"}, {"0"}):
        raise ImageError(
            f"The first volume of {first.with_name(whole)} is missing, but {first.name} is there.",
            hint="Copy all volumes of the image into one folder.",
        )
    return first


def _part(device: str, number: int, first: Path, table: TableDump | None) -> PartImage:
    found = _IMAGE.match(first.name)
    filesystem = (found and found["filesystem"]) or ""
    row, sector = (table.row(number), table.sector_size) if table else (None, 0)
    return PartImage(
        number, device, "" if filesystem == _DD else filesystem, own_volumes(first),
        start_bytes=row.start * sector if row else 0, size_bytes=row.size * sector if row else 0,
        raw=filesystem == _DD,
    )  # fmt: skip
