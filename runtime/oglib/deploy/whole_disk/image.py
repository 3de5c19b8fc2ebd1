# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person calls an image to an open one: of a whole disk where it is one.

Ours is a folder with a ``disk.json``, on this PC, on a share or on a web server; Clonezilla's and
FOG's are folders too. It is looked at once: whoever restores it works on the value that is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib import limits
from oglib.deploy.opening.entry import held, telling_of_the_cache
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.opened import described, named, opened_at
from oglib.deploy.opening.reference import Reference, is_path, no_version
from oglib.deploy.whole_disk.foreign_folder import disk_at, whole_of
from oglib.deploy.whole_disk.location import FolderLocation, located, location_of
from oglib.deploy.whole_disk.ours import ours_at
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.errors import ImageError, NotFoundError, OgErr, OgError
from oglib.image.any import Image
from oglib.image.format.disk_manifest import DISK_FILE
from oglib.image.reading.formats.model import ImageInfo
from oglib.partfile import is_there
from oglib.settings import Settings

_OLD_SUFFIX = ".dsk"


@contextmanager
def opened_any(
    text: str, settings: Settings, memory: Memory | None = None
) -> Iterator[WholeDisk | Image]:
    """The image that ``text`` names, of a whole disk or of a partition, judged.

    A name or address is asked for a ``disk.json`` with one small request. ``memory`` refuses one
    from the network that is older than what the PC had.
    """
    with held(text, settings, memory) as entry:
        location: FolderLocation | None = _asked(entry, text, settings)
        asked = location.name if location and location.url and "://" not in text else ""
        with telling_of_the_cache(asked, settings):
            if location and location.version:
                location = located(location)
            whole = _whole_at(location, settings, memory) if location else None
        if whole is not None:
            yield whole
            return
        with opened_at(entry or named(text, settings), settings, memory) as image:
            yield image


@contextmanager
def opened_whole(
    text: str, settings: Settings, memory: Memory | None = None
) -> Iterator[WholeDisk]:
    """The same where it must be that of a whole disk."""
    with held(text, settings, memory) as entry:
        asked = _asked(entry, text, settings)
        location = located(asked)
        if location is None:
            raise no_version(asked.name, asked.version, asked.where, [])
        whole = _whole_at(location, settings, memory)
        if whole is None:
            raise NotFoundError(
                f"There is no image of a disk at {location.where}.", code=OgErr.IMAGEFILE
            )
        yield whole


def _asked(entry: Reference | None, text: str, settings: Settings) -> FolderLocation:
    """Where it is if it is that of a whole disk."""
    if entry is None:
        return location_of(text, settings)
    return FolderLocation(entry.name, path=entry.path, version=entry.version, hold=entry.hold)


def _whole_at(
    location: FolderLocation, settings: Settings, memory: Memory | None
) -> WholeDisk | None:
    if location.path is None or (location.path / DISK_FILE).exists():
        return ours_at(location, settings, memory)
    folder = disk_at(location.path)
    return whole_of(folder, location.path, settings) if folder else None


def is_whole(text: str, settings: Settings) -> bool:
    """Whether ``text`` names the image of a whole disk: a folder, ours or foreign, or a raw one.

    A name or address is asked for with one small request; what is not there is none.
    """
    with held(text, settings) as entry:
        location = _asked(entry, text, settings)
        places = [location]
        if location.version:
            places += [one for one in (location.aside(), location.as_kept()) if one]
        if location.path is not None:
            found = any(one.path is not None and _is_folder(one.path) for one in places)
            return found or is_raw_disk(text, settings)
        return any(one.read(DISK_FILE, limits.DISK_MANIFEST_BYTES) is not None for one in places)


def _is_folder(path: Path) -> bool:
    try:
        return (path / DISK_FILE).is_file() or disk_at(path) is not None
    except OgError:
        return path.is_dir()  # whoever opens it will say why


def is_raw_disk(text: str, settings: Settings) -> bool:
    """Whether this file is the raw copy of a disk with its partition table (OpenGnsys' ``.dsk``).

    An image of ours is told by its name, and never read for this.
    """
    with held(text, settings) as entry:
        path = entry.path if entry else Path(text) if is_path(text) else None
        if path is None or not path.is_file() or is_there(path.with_name(f"{path.name}.json")):
            return False
        return _is_copy_of_disk(path, described(text, settings))


def is_disk_copy(image: Image) -> bool:
    """Whether the image, which is open, is the raw copy of a disk in a file of this PC."""
    return bool(image.files) and _is_copy_of_disk(image.files[0], image.info)


def _is_copy_of_disk(path: Path, info: ImageInfo) -> bool:
    """What OpenGnsys made of a disk is a partclone image of all its bytes: there the file's name
    says that it was a disk.
    """
    is_old = path.suffix == _OLD_SUFFIX and (info.tool, info.filesystem) == ("partclone", "raw")
    return path.is_file() and (info.tool == "disk" or is_old)


def whole_info(text: str, settings: Settings) -> ImageInfo:
    """The answer of ``og image info`` for a whole disk; its damage is said, not raised."""
    with held(text, settings) as entry:
        asked = _asked(entry, text, settings)
        location = located(asked)
        if location is None:
            raise no_version(asked.name, asked.version, asked.where, [])
        if location.path is not None and not (location.path / DISK_FILE).exists():
            return described(text, settings)
        try:
            whole = ours_at(location, settings)
        except ImageError as error:
            return ImageInfo("disk", "zstd", damage=str(error))
        if whole is None:
            raise NotFoundError(
                f"There is no image of a disk at {location.where}.", code=OgErr.IMAGEFILE
            )
        return whole.info()
