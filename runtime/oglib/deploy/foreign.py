# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign images: opened and described from files, volumes, folders and web addresses.

Here is only where the bytes are; what they mean is ``oglib.image.formats``' business, which is
loaded when a foreign image is met: most commands meet none, and all must start fast.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import closing
from glob import escape
from http import HTTPStatus
from pathlib import Path

from oglib.deploy.policy import judge_unsigned
from oglib.errors import NotFoundError, OgErr, UsageError
from oglib.image import FrameSource, Policy
from oglib.image.foreign import ForeignImage
from oglib.image.formats.model import ImageInfo
from oglib.partfile import is_there
from oglib.transfer.client import StatusError
from oglib.transfer.http import HttpSource

_PART_WORD = re.compile(r"(?:[a-z][a-z0-9]*?p?)?([1-9][0-9]{0,2})")
_FIRST_VOLUME = re.compile(r"(.*)\.(a{2,3}|0{2,3})")


def open_foreign(name: str, path: Path, policy: Policy, scratch: Path) -> ForeignImage:
    """The image in a file, in volumes, or of a partition in a folder image (``FOLDER/2``)."""
    _require(path)
    doubt = judge_unsigned(name, str(path), policy.unsigned_local)
    from oglib.image.formats import folder_image, is_folder_image, open_stream  # noqa: PLC0415
    from oglib.image.volumes import open_volumes  # noqa: PLC0415

    if _names_part(path) and is_folder_image(path.parent):
        folder = folder_image(path.parent)
        number = part_number(path.name, folder.parts, path.parent)
        size = sum(volume.stat().st_size for volume in folder.parts[number].volumes)
        return ForeignImage(folder.open_part(number, scratch=scratch), str(path), size, (doubt,))
    if path.is_dir():
        raise _folder(path, is_folder_image(path))
    source = open_volumes(path)
    try:
        stream = open_stream(source, name, scratch=scratch)
    except BaseException:
        source.close()
        raise
    return ForeignImage(stream, source.describe(), source.size_bytes, (doubt,))


def open_foreign_url(name: str, url: str, policy: Policy, scratch: Path) -> ForeignImage:
    """The image at an address, read by ranges; its later volumes are found by their names."""
    source = _source_at(url)
    try:
        doubt = judge_unsigned(name, url, policy.unsigned_remote)
        from oglib.image.formats import open_stream  # noqa: PLC0415

        stream = open_stream(source, name, scratch=scratch)
    except BaseException:
        source.close()
        raise
    return ForeignImage(stream, url, source.size_bytes, (doubt,))


def describe_path(path: Path) -> ImageInfo:
    """What is in a file, in volumes or in a folder image, or in one partition of that."""
    _require(path)
    from oglib.image.formats import (  # noqa: PLC0415
        describe,
        describe_folder,
        folder_image,
        is_folder_image,
    )
    from oglib.image.volumes import open_volumes  # noqa: PLC0415

    if _names_part(path) and is_folder_image(path.parent):
        folder = folder_image(path.parent)
        path = folder.parts[part_number(path.name, folder.parts, path.parent)].volumes[0]
    if path.is_dir():
        return describe_folder(path)
    with closing(open_volumes(path)) as source:
        return describe(source)


def describe_url(url: str) -> ImageInfo:
    """What is at an address."""
    source = _source_at(url)
    with closing(source):
        from oglib.image.formats import describe  # noqa: PLC0415

        return describe(source)


def _require(path: Path) -> None:
    """Raise unless there is a file, a folder, volumes of that name, or a folder it could be in."""
    volumes = path.parent.glob(f"{escape(path.name)}.*")
    if not is_there(path) and _PART_WORD.fullmatch(path.name) is None and not any(volumes):
        raise NotFoundError(f"There is no {path}.", code=OgErr.IMAGEFILE)


def _names_part(path: Path) -> bool:
    return not is_there(path) and path.parent.is_dir()


def part_number(word: str, there: Collection[int], folder: Path) -> int:
    """``2``, ``sda2``, ``nvme0n1p2`` or ``d1p2`` → 2, when the folder has such a partition."""
    match = _PART_WORD.fullmatch(word)
    if match is None or int(match[1]) not in there:
        have = ", ".join(str(number) for number in sorted(there))
        raise UsageError(f"There is no partition {word} in {folder}.", hint=f"It has {have}.")
    return int(match[1])


def _folder(path: Path, tool: str) -> UsageError:
    if not tool:
        return UsageError(f"{path} is a folder, but not the image of a disk.")
    return UsageError(
        f"{path} is the {tool} image of a whole disk.",
        hint=f"Name one of its partitions, as in {path}/1, or give a disk and no partition.",
    )


def _source_at(url: str) -> FrameSource:
    """All volumes at an address as one source."""
    parts = [HttpSource(url)]
    try:
        for later in later_volumes(url):
            try:
                parts.append(HttpSource(later))
            except StatusError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                break
    except BaseException:
        for part in parts:
            part.close()
        raise
    if len(parts) == 1:
        return parts[0]
    from oglib.image.volumes import VolumeSource  # noqa: PLC0415

    return VolumeSource(list(parts))


def later_volumes(first: str) -> Iterator[str]:
    """What follows ``X.aa``, ``X.aaa``, ``X.00`` or ``X.000``; nothing for any other name."""
    match = _FIRST_VOLUME.fullmatch(first)
    if match is None:
        return
    digits = "0123456789" if match[2][0] == "0" else "abcdefghijklmnopqrstuvwxyz"
    width, base = len(match[2]), len(digits)
    for number in range(1, base**width):
        places = reversed(range(width))
        yield f"{match[1]}." + "".join(digits[number // base**place % base] for place in places)
