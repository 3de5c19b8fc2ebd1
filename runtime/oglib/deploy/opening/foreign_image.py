# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign images: opened and described from files, volumes, folders and web addresses.

Here is only where the bytes are; what they mean is the business of ``oglib.image.reading.formats``,
which is loaded when a foreign image is met: most commands meet none, and all must start fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from glob import escape
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from oglib.connection import Connection
from oglib.deploy.opening.policy import judge_unsigned
from oglib.errors import NotFoundError, OgErr, UsageError
from oglib.image.any import ForeignImage
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.proven import ProvenSource
from oglib.image.reading.recorded import RecordedSource
from oglib.image.reading.source import FileSource, FrameSource, files_of, supply_of
from oglib.image.reading.vouching import Policy, VouchedRecord
from oglib.partfile import is_there
from oglib.transfer.http import HttpSource, unless_absent
from oglib.wording.nearest import meant

if TYPE_CHECKING:
    from oglib.image.reading.formats.folders.folder import FolderImage
    from oglib.image.reading.formats.folders.saved_disk import PartImage

_MOST_BESIDE = 5000
_MOST_FILES = 10_000
_FIRST_VOLUME = re.compile(r"(.*)\.(a{2,4}|0{2,3})")


def open_foreign(
    name: str,
    path: Path,
    policy: Policy,
    scratch: Path,
    *,
    recorded: str = "",
    reading: Callable[[Path], FrameSource] = FileSource,
) -> ForeignImage:
    """The image in a file, in volumes, or of a partition in a folder image (``FOLDER/2``).

    ``recorded``: the BLAKE3 that its one file has, which is proven while it is read. ``reading``:
    what reads one file.
    """
    _require(path)
    doubt = judge_unsigned(name, str(path), policy.unsigned_local)
    from oglib.image.reading.formats.detect import open_stream  # noqa: PLC0415
    from oglib.image.reading.formats.folders.folder import is_folder_image  # noqa: PLC0415
    from oglib.image.reading.volumes import open_paths, volumes_of  # noqa: PLC0415

    if found := in_folder(path):
        folder, number = found
        if not number:
            devices = [part.device for part in folder.parts.values()]
            raise _folder(path, folder.tool, f"{path.parent}/{next(iter(devices), 1)}")
        part = folder.parts[number]
        return open_part(part, str(path), doubt, scratch, files=files_in(folder.path))
    if path.is_dir():
        raise _folder(path, is_folder_image(path), f"{path}/1")
    volumes = tuple(volumes_of(path))
    source = reading(path) if volumes == (path,) else open_paths(volumes)
    if recorded:
        source = RecordedSource(source, recorded)
    try:
        stream = open_stream(source, name, scratch=scratch)
    except BaseException:
        source.close()
        raise
    proven = source if isinstance(source, RecordedSource) else None
    return ForeignImage(
        stream, source.describe(), source.size_bytes, (doubt,), files=volumes, recorded=proven
    )  # fmt: skip


def open_part(
    part: PartImage, where: str, doubt: str, scratch: Path, *, files: tuple[Path, ...]
) -> ForeignImage:
    """The image of one partition of a folder that was read; ``where`` and ``doubt`` are told."""
    size = sum(volume.stat().st_size for volume in part.volumes)
    return ForeignImage(part.open(scratch=scratch), where, size, (doubt,), files=files)


def files_in(folder: Path) -> tuple[Path, ...]:
    """What lies in the folder of an image, as far as any image has files."""
    return tuple(islice(folder.iterdir(), _MOST_FILES))


def open_foreign_url(
    name: str, url: str, policy: Policy, scratch: Path, connection: Connection
) -> ForeignImage:
    """The image at an address, read by ranges; its later volumes are found by their names."""
    source = _source_at(url, connection)
    try:
        doubt = judge_unsigned(name, url, policy.unsigned_remote)
        from oglib.image.reading.formats.detect import open_stream  # noqa: PLC0415

        stream = open_stream(source, name, scratch=scratch)
    except BaseException:
        source.close()
        raise
    return ForeignImage(stream, url, source.size_bytes, (doubt,))


def open_recorded(
    name: str, inner: FrameSource, vouched: VouchedRecord, scratch: Path
) -> ForeignImage:
    """The image in ``inner``, every byte of which the record proves before it is used.

    ``inner`` belongs to it, and is closed where this fails.
    """
    record = vouched.record
    try:
        source = ProvenSource(inner, record)
        from oglib.image.reading.formats.detect import open_stream  # noqa: PLC0415

        stream = open_stream(source, name, scratch=scratch)
    except BaseException:
        inner.close()
        raise
    return ForeignImage(
        stream,
        inner.describe(),
        record.image_size_bytes,
        vouched.warnings,
        files=files_of(inner),
        version=record.version,
        signed_by=vouched.signed_by,
        supply=supply_of(inner),
    )


def describe_path(path: Path) -> ImageInfo:
    """What is in a file, in volumes or in a folder image, or in one partition of that."""
    _require(path)
    from oglib.image.reading.formats.detect import describe  # noqa: PLC0415
    from oglib.image.reading.formats.folders.folder import describe_folder  # noqa: PLC0415
    from oglib.image.reading.volumes import open_volumes  # noqa: PLC0415

    if found := in_folder(path):
        folder, number = found
        return folder.parts[number].info if number else folder.info
    if path.is_dir():
        return describe_folder(path)
    with closing(open_volumes(path)) as source:
        return describe(source)


def describe_url(url: str, connection: Connection) -> ImageInfo:
    """What is at an address."""
    source = _source_at(url, connection)
    with closing(source):
        from oglib.image.reading.formats.detect import describe  # noqa: PLC0415

        return describe(source)


def _require(path: Path) -> None:
    """Raise unless there is a file, a folder, volumes of that name, or a folder it could be in."""
    if is_there(path):
        return
    from oglib.image.reading.formats.folders.folder import is_folder_image  # noqa: PLC0415

    volumes = path.parent.glob(f"{escape(path.name)}.*")
    if not is_folder_image(path.parent) and not any(volumes):
        raise NotFoundError(
            f"There is no {path}.",
            hint=_beside(path) or "Is the folder right, and is what it lies on mounted?",
            code=OgErr.IMAGEFILE,
        )


def _beside(path: Path) -> str:
    """What is called nearly so in the same folder."""
    try:
        there = [one.name for one in islice(path.parent.iterdir(), _MOST_BESIDE)]
    except OSError:
        return ""
    return meant(path.name, there).strip()


def in_folder(path: Path) -> tuple[FolderImage, int] | None:
    """What ``path`` names in a folder image: its disk, and the number, 0 for the whole disk.

    None where it is no name in such a folder: ``FOLDER/2``, ``FOLDER/sdb1``, ``FOLDER/d2`` are.
    """
    if is_there(path) or "." in path.name:  # no device has a dot in its name, every file has one
        return None
    from oglib.image.reading.formats.folders.folder import is_folder_image, named_in  # noqa: PLC0415

    return named_in(path.parent, path.name) if is_folder_image(path.parent) else None


def _folder(path: Path, tool: str, part: str) -> UsageError:
    if not tool:
        return UsageError(f"{path} is a folder, but not the image of a disk.")
    return UsageError(
        f"{path} is the {tool} image of a whole disk.",
        hint=f"Name one of its partitions, as in {part}, or give a disk and no partition.",
    )


def _source_at(url: str, connection: Connection) -> FrameSource:
    """All volumes at an address as one source."""
    parts = [HttpSource(url, connection=connection)]
    try:
        for later in later_volumes(url):
            # a volume that a busy server denies would cut the image short
            part = unless_absent(partial(HttpSource, later, connection=connection))
            if part is None:
                break
            parts.append(part)
    except BaseException:
        for part in parts:
            part.close()
        raise
    if len(parts) == 1:
        return parts[0]
    from oglib.image.reading.volumes import VolumeSource  # noqa: PLC0415

    return VolumeSource(list(parts))


def later_volumes(first: str) -> Iterator[str]:
    """What follows ``X.aa``, ``X.00`` and their like, and FOG's ``d1p1.img``; else nothing."""
    from oglib.image.reading.volumes import is_fog_first, later_suffixes  # noqa: PLC0415

    match = _FIRST_VOLUME.fullmatch(first)
    if match is not None:
        yield from (f"{match[1]}.{suffix}" for suffix in later_suffixes(match[2]))
    elif is_fog_first(first.rpartition("/")[2]):
        yield from (f"{first}.{suffix}" for suffix in later_suffixes("000"))
