# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands that say what an image is, read from its own bytes and never from its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oglib import settings
from oglib.errors import (
    ImageError,
    NotFoundError,
    OgErr,
    PartitionError,
    TransferError,
    UsageError,
)
from oglib.filesystem.share import mount_on
from oglib.settings import NAME_PART
from oglib.shim.command import Command
from oglib.shim.place import IMAGES, Place, places, repository

if TYPE_CHECKING:
    from oglib.image.reading.formats.model import ImageInfo

_KIB = 1024
_PLACES = ("REPO", "CACHE", "CDROM")


def in_place(words: Sequence[str]) -> Place:
    """``REPO|CACHE NAME``: the place of NAME as it is, which need not exist.

    Where the cache cannot be mounted there is no image (OG_ERR_NOTFOUND).
    """
    if words[0].upper() not in _PLACES:
        raise UsageError(f"{words[0]!r} is no place of images.", hint="Say REPO or CACHE.")
    try:
        return places(words, 1)[0]
    except PartitionError as error:
        raise NotFoundError(error.message, hint=error.hint) from error


def image_place(words: Sequence[str], extension: str) -> Place:
    """The same of ``NAME.EXTENSION``."""
    return in_place([words[0], f"{words[1]}.{extension}"])


def over_http(where: str, loaded: settings.Settings) -> bool:
    """Whether REPO is asked by HTTP: no share of a repository is mounted, but one is known."""
    if where.upper() != "REPO" or not loaded.repository:
        return False
    return mount_on(repository().resolve()) is None


def refuse_over_http(where: str, loaded: settings.Settings) -> None:
    """Raise (OG_ERR_REPO) where only a mounted share will do; ogLive's own memory never does."""
    if over_http(where, loaded):
        raise TransferError(
            f"No share of the repository is mounted at {repository()}.",
            hint="Boot with ogprotocol=smb or nfs, or mount it with ogChangeRepo.",
        )


def named_image(words: Sequence[str], loaded: settings.Settings) -> str:
    """What ``REPO|CACHE NAME`` is for the use cases: the path of the file.

    Where REPO is asked by HTTP its image is called by its name. OG_ERR_NOTFOUND where there is
    no such file.
    """
    place = image_place(words, loaded.image_extension)
    found = place.find()
    if found is not None and found.is_file():
        return _entry_of(words[0], place, found) or str(found)
    if over_http(words[0], loaded):
        return words[1].strip("/")
    raise NotFoundError(
        f"There is no image {words[1]} in {place.root}.",
        hint="`og image list` and `og cache list` show what there is.",
    )


def _entry_of(where: str, place: Place, found: Path) -> str:
    """``CACHE:NAME``, so that nobody takes it away while it is read; empty where it has no name."""
    top = place.root / IMAGES.lstrip("/")
    if where.upper() != "CACHE" or not found.is_relative_to(top):
        return ""
    from oglib.deploy.opening.reference import CACHE  # noqa: PLC0415

    name = str(found.relative_to(top).with_suffix(""))
    return f"{CACHE}{name}" if all(map(NAME_PART.fullmatch, name.split("/"))) else ""


def info_of(image: str, loaded: settings.Settings) -> ImageInfo:
    """What an image is; OG_ERR_IMAGE when it is damaged or of no known kind."""
    # only here: it knows every format and how to fetch, and most old commands need neither
    from oglib.deploy.opening.opened import described  # noqa: PLC0415

    info = described(image, loaded)
    if info.damage:
        raise ImageError(info.damage, code=OgErr.IMAGE)
    return info


def info_line(info: ImageInfo) -> str:
    """``PARTCLONE:LZOP:NTFS:72100000``: as scripts and ``.info`` files have it, the size in KB."""
    filesystem = "".join(info.filesystem.split())
    words = (info.tool, info.compressor, filesystem, str(size_kb(info)))
    return ":".join(words).upper()


def size_kb(info: ImageInfo) -> int:
    """What a target must have, in whole KB of 1024 bytes."""
    return -(-info.required_bytes // _KIB)


def _info(words: Sequence[str]) -> str:
    path = places(words, 1)[0].file()
    return info_line(info_of(str(path), settings.load()))


def _fact(number: int) -> Callable[[Sequence[str]], str]:
    def fact(words: Sequence[str]) -> str:
        loaded = settings.load()
        return info_line(info_of(named_image(words, loaded), loaded)).split(":")[number]

    return fact


_HEADERS = (
    "Read from the image's own header: exact, in any language, whatever its name. zstd, lz4, xz, "
    "bzip2 and uncompressed images and split volumes are known too; a raw one is RAW, a raw disk "
    "DISK. KB are of 1024 bytes. What is no image is an error (IMAGE)."
)
_NAMED = "REPO|CACHE NAME"


def _commands() -> list[Command]:
    named = (
        ("ogGetImageProgram", "the program that made an image", "PARTCLONE"),
        ("ogGetImageCompressor", "how an image is compressed", "LZOP"),
        ("ogGetImageType", "which filesystem is in an image", "NTFS"),
        ("ogGetImageSize", "how many KB a partition must have for an image", "5642158"),
    )
    return [
        Command(
            "ogGetImageInfo",
            "FILE",
            "prints PROGRAM:COMPRESSION:FILESYSTEM:KB of an image file",
            _info,
            1,
            1,
            "ogGetImageInfo /opt/opengnsys/images/debian.img → PARTCLONE:LZOP:EXTFS:5642158",
            _HEADERS,
        ),
        *(
            Command(
                name,
                _NAMED,
                f"prints {what}",
                _fact(number),
                2,
                2,
                f"{name} REPO debian → {answer}",
                _HEADERS,
            )
            for number, (name, what, answer) in enumerate(named)
        ),
    ]


COMMANDS = {command.name: command for command in _commands()}
