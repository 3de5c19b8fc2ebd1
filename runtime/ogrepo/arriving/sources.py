# SPDX-License-Identifier: GPL-3.0-or-later
"""What a path names that is to be imported: looked at, nothing read but headers and names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from oglib.errors import ImageError, NotFoundError
from oglib.image.format.disk_manifest import DISK_FILE
from oglib.image.reading.formats.folders.folder import folder_image, is_folder_image
from oglib.image.reading.local import own_files
from oglib.image.reading.source import FrameSource
from oglib.image.reading.volumes import open_paths, volumes_of
from oglib.partfile import is_there
from ogrepo.arriving.naming import alias, bare
from ogrepo.arriving.rest import Stamps, stamps_of

_FIRST_VOLUMES = {2: ("aa", "00"), 3: ("aaa", "000"), 4: ("aaaa",)}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One image to be imported: from ``files``, under ``name``. ``own``: it is of our own format.

    ``raw``: its owner says that it is a plain copy, whatever it looks like. ``said`` are sentences
    on what was chosen.
    """

    files: tuple[Path, ...]
    name: str
    own: bool = False
    raw: bool = False
    said: tuple[str, ...] = ()
    stamps: tuple[Stamps, ...] = field(default=(), compare=False)

    @property
    def size_bytes(self) -> int:
        return sum(one.size for one in self.stamps)

    def open(self) -> FrameSource:
        """All its volumes as one."""
        return open_paths(self.files)


def arrivals(path: Path, name: str = "") -> list[Arrival]:
    """The images that ``path`` names: a file, volumes, or the folder of a saved disk.

    ``name``: what they are called here; empty for what is nearest to the file's own name.
    """
    if path.is_dir():
        return _in_folder(path, name)
    own = own_files(path)
    if own.are_there:
        files = (own.image, own.frames, own.manifest)
        return [_arrival(files, path.name, name, own=True)]
    volumes = tuple(volumes_of(path))
    return [_arrival(volumes, volumes[0].name, name)]


def _in_folder(path: Path, name: str) -> list[Arrival]:
    if is_there(path / DISK_FILE):
        raise ImageError(
            f"{path} is the image of a whole disk, in our own format.",
            hint="Bring it in from a PC, or copy the folder into images/ of the repository whose "
            "key signed it.",
        )
    if not is_folder_image(path):
        raise ImageError(
            f"{path} is a folder, but not the image of a disk.",
            hint="Name the files in it, or let it be watched with --watch.",
        )
    first = folder_image(path)
    found = []
    for image in (first, *(folder_image(path, other) for other in first.others)):
        for part in image.parts.values():
            whole = f"{name or alias(path.name)}/{part.device}"
            found.append(_arrival(part.volumes, path.name, alias(whole), raw=part.raw))
    if not found:
        raise ImageError(f"The folder {path} holds no image of a partition.")
    return found


def _arrival(
    files: tuple[Path, ...], called: str, name: str, *, own: bool = False, raw: bool = False
) -> Arrival:
    stamps = tuple(_stamps(one) for one in files)
    chosen = name or alias(bare(called))
    said: tuple[str, ...] = ()
    if not name and chosen != bare(called):
        said = (f"{called} cannot be the name of an image here; it is called {chosen}.",)
    return Arrival(files, chosen, own, raw, said, stamps)


def _stamps(path: Path) -> Stamps:
    found = stamps_of(path)
    if found is None:
        raise NotFoundError(f"{path} is no regular file, or is not there any more.")
    return found


def require_unchanged(arrival: Arrival) -> None:
    """Raise where one of its files is another by now: what was read was never one image."""
    if not is_unchanged(arrival):
        raise ImageError(
            f"{arrival.files[0]} was changed while it was read; nothing of it was taken.",
            hint="Let whoever writes it come to the end, then import it again.",
        )


def is_unchanged(arrival: Arrival) -> bool:
    """Whether its files are the ones that were looked at."""
    return tuple(stamps_of(one) for one in arrival.files) == arrival.stamps


def is_later_volume(path: Path) -> bool:
    """Whether this is a volume behind the first, which lies beside it."""
    stem, _, end = path.name.rpartition(".")
    firsts = _FIRST_VOLUMES.get(len(end), ())
    ours = bool(stem) and (end.isdigit() or end.isalpha()) and end not in firsts
    return ours and any(is_there(path.with_name(f"{stem}.{first}")) for first in firsts)
