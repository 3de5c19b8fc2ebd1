# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that was saved as a folder of files, as a value; and the reading of its small texts."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from oglib.disk.model import MIB
from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.reading.formats.base import Stream
from oglib.image.reading.formats.detect import describe, open_stream
from oglib.image.reading.formats.folders.stored_gpt import StoredGpt
from oglib.image.reading.formats.folders.table_dump import TableDump
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.stretch import Stretch
from oglib.image.reading.volumes import open_paths, volumes_of

_MOST_TEXT_BYTES = 1 << 20
_MOST_GAP_BYTES = 1 << 30  # Clonezilla saves no more of what lies before the first partition
_MSR = "e3c9e316-0b5c-4db8-817d-f92df00215ae"  # Windows keeps nothing in it
_MOST_WORDS = 1024  # no PC has so many disks and partitions
_MOST_WORD_CHARS = 255


@dataclass(frozen=True, slots=True)
class PartImage:
    """The image of one partition. ``filesystem`` as the folder says it; bytes 0 = not known.

    ``raw``: a plain copy, whatever its content looks like.
    """

    number: int
    device: str
    filesystem: str
    volumes: tuple[Path, ...]
    start_bytes: int = 0
    size_bytes: int = 0
    raw: bool = False

    @property
    def info(self) -> ImageInfo:
        """What the beginning of the image says, or its damage."""
        try:
            source = open_paths(self.volumes)
        except OgError as error:
            return ImageInfo(tool="", compressor="", damage=str(error))
        try:
            return describe(source, str(self.volumes[0]), raw=self.raw)
        finally:
            source.close()

    def open(self, *, workers: int | None = None, scratch: Path | None = None) -> Stream:
        """The image; close it when done."""
        source = open_paths(self.volumes)
        try:
            name = f"{self.volumes[0].parent.name}/{self.device}"
            return open_stream(source, name, workers=workers, scratch=scratch, raw=self.raw)
        except BaseException:
            source.close()
            raise


@dataclass(frozen=True, slots=True)
class SwapInfo:
    """A swap partition, made anew at a restore."""

    uuid: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class FolderInfo(ImageInfo):
    """The answer for a folder image: ``disk`` is what the rest is about, one of ``disks``.

    ``left_out`` are the partitions of its table whose content the folder does not hold.
    """

    disk: str = ""
    disks: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FolderImage:
    """One disk of a folder image, of all the ``disks`` in it.

    ``table`` is None where only partitions were saved. ``table_dump`` is its text as sfdisk wrote
    it, empty where the table comes from ``gpt``, the copy of a GPT that the folder holds. ``mbr``
    is the first sector and ``gap`` what stands behind it up to the first partition. ``unserved``
    names what the folder holds and nobody restores from here (LVM, encrypted volumes), ``lacking``
    says what belongs to it and is not there. ``disk_bytes`` is the size that the folder tells of
    the disk, ``minimum_disk_bytes`` the least that its table needs. 0 and "" = not known.
    """

    path: Path
    tool: str
    disk: str
    disks: tuple[str, ...]
    parts: dict[int, PartImage]
    swaps: dict[int, SwapInfo] = field(default_factory=dict)
    table: TableDump | None = None
    table_dump: str = ""
    gpt: StoredGpt | None = None
    mbr: bytes = b""
    gap: Stretch | None = None
    firmware: str = ""
    disk_bytes: int = 0
    minimum_disk_bytes: int = 0
    unserved: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    # of a GPT as it lay on the disk: (byte, content), a negative byte counts from the end
    table_sectors: tuple[tuple[int, bytes], ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """The other disks in the folder."""
        return tuple(disk for disk in self.disks if disk != self.disk)

    @property
    def left_out(self) -> tuple[int, ...]:
        """The partitions of the table whose content the folder does not hold."""
        held = {*self.parts, *self.swaps}
        return tuple(
            row.number
            for row in (self.table.rows if self.table else ())
            if row.number not in held and not row.extended and row.type.lower() != _MSR
        )

    @property
    def sector_size(self) -> int:
        return self.table.sector_size if self.table else 0

    @property
    def least_bytes(self) -> int:
        """A disk that takes the table, where the folder does not tell how large it was."""
        ends = [row.start + row.size for row in self.table.rows] if self.table else []
        end = max(ends, default=0) * (self.sector_size or 512)
        return max(-(-end // MIB) * MIB + MIB, self.minimum_disk_bytes)

    @property
    def table_label(self) -> str:
        return self.table.label if self.table else ""

    @property
    def info(self) -> FolderInfo:
        """The image as a whole; compressor and checksum are those of the first partition.

        ``required_bytes`` is the disk it needs. The beginning of every partition is looked at;
        ``damage`` says what is wrong with the first one that is damaged.
        """
        info = FolderInfo(
            tool=self.tool, compressor="none", required_bytes=self.minimum_disk_bytes,
            volumes=sum(len(part.volumes) for part in self.parts.values()),
            damage=" ".join(self.lacking),
            disk=self.disk, disks=self.disks, left_out=self.left_out,
        )  # fmt: skip
        for at, number in enumerate(sorted(self.parts)):
            found = self.parts[number].info
            if not at:
                info = replace(info, compressor=found.compressor, checksum=found.checksum)
            if found.damage and not info.damage:
                info = replace(info, damage=f"Partition {number}: {found.damage}")
        return info

    def open_part(
        self, number: int, *, workers: int | None = None, scratch: Path | None = None
    ) -> Stream:
        """The image of partition ``number``; close it when done."""
        part = self.parts.get(number)
        if part is None:
            raise NotFoundError(f"The image {self.path} has no partition {number}.")
        return part.open(workers=workers, scratch=scratch)


def has_file(path: Path) -> bool:
    """Whether there is a file of that name; ``ImageError`` where the name is anything else's.

    A FIFO would be waited for, and a link may lead out of the folder.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise ImageError(
            f"{path} is not a regular file.",
            hint="Links are not followed out of an image's folder: put the file itself there.",
        )
    return True


def own_volumes(first: Path) -> tuple[Path, ...]:
    """All volumes of an image, each a file of the folder; ``first`` exists."""
    has_file(first)
    volumes = tuple(volumes_of(first))
    for volume in volumes:
        has_file(volume)
    return volumes


def small_bytes(path: Path) -> bytes:
    """A small file's content, empty where there is none; ``ImageError`` where it is not small."""
    raw = first_bytes(path, _MOST_TEXT_BYTES + 1)
    if len(raw) > _MOST_TEXT_BYTES:
        raise _too_large(path)
    return raw


def first_bytes(path: Path, count: int) -> bytes:
    """At most ``count`` bytes from a file's beginning, none where there is no such file."""
    if not has_file(path):
        return b""
    with open(path, "rb", opener=_open_own) as file:  # Path.open has no opener
        return file.read(count)


def gap_in(path: Path, offset: int) -> Stretch | None:
    """What a file holds from ``offset`` on of a disk's beginning; None where it holds nothing.

    That is up to 1 GiB, so it is not read before it is needed.
    """
    size = path.lstat().st_size if has_file(path) else 0
    if size > offset + _MOST_GAP_BYTES:
        raise _too_large(path)
    return Stretch(path, offset, size - offset) if size > offset else None


def _too_large(path: Path) -> ImageError:
    return ImageError(f"{path} is much too large for what it should be.")


def small_text(path: Path) -> str:
    """As ``small_bytes``; bytes that are no text become marks, and FOG's NULs go."""
    return small_bytes(path).decode("utf-8", "replace").replace("\0", "")


def small_words(path: Path) -> list[str]:
    """As ``small_text``, its words: names, of which a PC has not many."""
    words = small_text(path).split()
    if len(words) > _MOST_WORDS or any(len(word) > _MOST_WORD_CHARS for word in words):
        raise ImageError(f"{path} holds more names, or longer ones, than a PC has.")
    return words


def _open_own(path: str, flags: int) -> int:
    """It was looked at before; should it be another one since, it is not waited for either."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
