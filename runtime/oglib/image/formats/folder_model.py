# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that was saved as a folder of files, as a value; and the reading of its small texts."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.formats.base import Stream
from oglib.image.formats.detect import describe, open_stream
from oglib.image.formats.model import ImageInfo
from oglib.image.formats.table_dump import TableDump
from oglib.image.volumes import open_volumes, volumes_of

_MOST_TEXT_BYTES = 1 << 20
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
            source = open_volumes(self.volumes[0])
        except OgError as error:
            return ImageInfo(tool="", compressor="", damage=str(error))
        try:
            return describe(source, str(self.volumes[0]), raw=self.raw)
        finally:
            source.close()


@dataclass(frozen=True, slots=True)
class SwapInfo:
    """A swap partition, made anew at a restore."""

    uuid: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class FolderImage:
    """One disk of a folder image.

    ``table`` is None and ``table_dump`` empty where only partitions were saved. ``mbr`` is the
    first sector and ``gap`` what stands behind it up to the first partition; ``gpt_backup`` a
    file of ``sgdisk --backup``. ``unserved`` names what the folder holds and nobody restores
    from here (LVM, encrypted volumes). 0 and "" = not known.
    """

    path: Path
    tool: str
    disk: str
    disks: tuple[str, ...]
    parts: dict[int, PartImage]
    swaps: dict[int, SwapInfo] = field(default_factory=dict)
    table: TableDump | None = None
    table_dump: str = ""
    mbr: bytes = b""
    gap: bytes = b""
    gpt_backup: Path | None = None
    firmware: str = ""
    minimum_disk_bytes: int = 0
    unserved: tuple[str, ...] = ()
    # of a GPT as it lay on the disk: (byte, content), a negative byte counts from the end
    table_sectors: tuple[tuple[int, bytes], ...] = ()

    @property
    def sector_size(self) -> int:
        return self.table.sector_size if self.table else 0

    @property
    def table_label(self) -> str:
        return self.table.label if self.table else ""

    @property
    def info(self) -> ImageInfo:
        """The image as a whole; compressor and checksum are those of the first partition.

        ``required_bytes`` is the disk it needs. The beginning of every partition is looked at;
        ``damage`` says what is wrong with the first one that is damaged.
        """
        info = ImageInfo(
            tool=self.tool, compressor="none", required_bytes=self.minimum_disk_bytes,
            volumes=sum(len(part.volumes) for part in self.parts.values()),
        )  # fmt: skip
        for at, number in enumerate(sorted(self.parts)):
            found = self.parts[number].info
            if not at:
                info = replace(info, compressor=found.compressor, checksum=found.checksum)
            if found.damage:
                return replace(info, damage=f"Partition {number}: {found.damage}")
        return info

    def open_part(
        self, number: int, *, workers: int | None = None, scratch: Path | None = None
    ) -> Stream:
        """The image of partition ``number``; close it when done."""
        part = self.parts.get(number)
        if part is None:
            raise NotFoundError(f"The image {self.path} has no partition {number}.")
        source = open_volumes(part.volumes[0])
        try:
            name = f"{self.path.name}/{part.device}"
            return open_stream(source, name, workers=workers, scratch=scratch, raw=part.raw)
        except BaseException:
            source.close()
            raise


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
    if not has_file(path):
        return b""
    with open(path, "rb", opener=_open_own) as file:  # Path.open has no opener
        raw = file.read(_MOST_TEXT_BYTES + 1)
    if len(raw) > _MOST_TEXT_BYTES:
        raise ImageError(f"{path} is much too large for what it should be.")
    return raw


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
