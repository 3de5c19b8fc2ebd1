# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of each version that was published, as its record in ``versions/NAME/`` tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from oglib import limits
from oglib.errors import ImageError, NotFoundError, OgErr, UsageError
from oglib.image.format.disk_manifest import DISK_FILE, DiskManifest, part_name
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.manifest import Manifest
from oglib.wording.nearest import meant
from ogrepo.library.disks import disk_path
from ogrepo.library.folder import Folder, checked_name, walk
from ogrepo.library.keep import DISK_RECORD, record_suffix
from ogrepo.library.store import ASIDE, MANIFEST, RECORD, kept_numbers

About = Manifest | DiskManifest | ForeignRecord


@dataclass(frozen=True, slots=True)
class Kept:
    """One version. ``parts``: the manifests of a disk's images, by the number of the partition.

    ``recorded_at``: when its record was written, in seconds since 1970.
    """

    about: About
    recorded_at: float
    parts: dict[int, Manifest] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def version(self) -> int:
        return self.about.version

    @property
    def images(self) -> tuple[Manifest | ForeignRecord, ...]:
        """Itself, or those in the disk."""
        if isinstance(self.about, DiskManifest):
            return tuple(self.parts.values())
        return (self.about,)

    @property
    def digests(self) -> frozenset[str]:
        """The names in ``bytes/`` that it needs."""
        found = set()
        for image in self.images:
            found.add(image.image_blake3)
            if isinstance(image, Manifest):
                found.add(image.frames_blake3)
        if isinstance(self.about, DiskManifest):
            found |= {part.manifest_blake3 for part in self.about.images}
        return frozenset(found)

    @property
    def content(self) -> tuple[str, ...]:
        """What two versions have in common when the one is the other's content again."""
        return tuple(image.image_blake3 for image in self.images)

    @property
    def size_bytes(self) -> int:
        return sum(image.image_size_bytes for image in self.images)


@dataclass(frozen=True, slots=True)
class Standing:
    """Which versions of a name ``images/`` holds; 0 = none. ``before``: the one called ``.ant``."""

    shown: int
    before: int


def kept_names(folder: Folder, *, whole: bool = False) -> list[str]:
    """The names of which something is kept, shown or not; ``whole``: all of them, or it raises."""
    found = walk(folder.versions, whole=whole)
    return sorted(str(at.relative_to(folder.versions)) for at, files in found if files)


def kept_versions(folder: Folder, name: str) -> list[Kept]:
    """All kept versions of a name, the oldest first. ``ImageError``: a record is damaged."""
    return [read_kept(folder, name, number) for number in versions_of(folder, name)]


def versions_of(folder: Folder, name: str) -> list[int]:
    """Their numbers; what lacks the record that makes it a version is none."""
    return [number for number in kept_numbers(folder, name) if record_of(folder, name, number)]


def record_of(folder: Folder, name: str, version: int) -> Path | None:
    """The record that makes it a version: of an image, of a disk, or of another program's image."""
    suffixes = (record_suffix(MANIFEST), DISK_RECORD, record_suffix(RECORD))
    paths = (folder.version_file(name, version, one) for one in suffixes)
    return next((path for path in paths if path.exists()), None)


def read_kept(folder: Folder, name: str, version: int) -> Kept:
    """One kept version; ``NotFoundError`` where it is none of them."""
    path = record_of(folder, name, version)
    if path is None:
        numbers = ", ".join(map(str, versions_of(folder, name)))
        raise NotFoundError(
            f"No version {version} of the image {name} is kept.",
            hint=f"Kept are: {numbers or 'none'}.",
            code=OgErr.NOTFOUND,
        )
    recorded_at = path.stat().st_mtime
    if path.name.endswith(record_suffix(RECORD)):
        return Kept(_foreign(path, name, version), recorded_at)
    if not path.name.endswith(DISK_RECORD):
        return Kept(_manifest(path, name, version), recorded_at)
    disk = DiskManifest.from_bytes(_read(path, limits.DISK_MANIFEST_BYTES))
    _check(path, disk, name, version)
    parts = {}
    for part in disk.images:
        beside = folder.version_file(name, version, record_suffix(MANIFEST, part.number))
        parts[part.number] = _manifest(beside, part_name(name, part.number), version)
    return Kept(disk, recorded_at, parts)


def known_name(folder: Folder, name: str) -> str:
    """``name`` where a version of it is kept; else the error that says what is nearest."""
    if not versions_of(folder, name):
        raise NotFoundError(
            f"No version of an image {name} is kept in {folder.root}.",
            hint=f"{meant(name, kept_names(folder))}`ogrepo versions {folder.root}` shows all.",
            code=OgErr.NOTFOUND,
        )
    return name


def standing(folder: Folder, name: str) -> Standing:
    """What ``images/`` holds of a name now."""
    return Standing(_version_at(folder, name, ""), _version_at(folder, name, ASIDE))


def in_images(folder: Folder, name: str, aside: str = "") -> About | None:
    """The manifest or record in ``images/``; None where there is none of that name."""
    at = disk_path(folder, name)
    places: tuple[tuple[Path, type[About]], ...] = (
        (folder.image_file(name, MANIFEST + aside), Manifest),
        (folder.image_file(name, RECORD + aside), ForeignRecord),
        (at.with_name(at.name + aside) / DISK_FILE, DiskManifest),
    )
    for path, kind in places:
        try:
            return kind.from_bytes(_read(path, limits.MANIFEST_BYTES))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return None


def _version_at(folder: Folder, name: str, aside: str) -> int:
    about = in_images(folder, name, aside)
    return about.version if about else 0


def split_version(text: str) -> tuple[str, int]:
    """``debian@3`` as ``debian`` and 3; 0 where no version is named."""
    name, at, number = text.partition("@")
    if at and not (number.isascii() and number.isdecimal() and 0 < int(number) < 1 << 63):
        raise UsageError(f"{text!r} names no version.", hint="Write it as in debian@3.")
    return checked_name(name), int(number or 0)


def _manifest(path: Path, name: str, version: int) -> Manifest:
    manifest = Manifest.from_bytes(_read(path, limits.MANIFEST_BYTES))
    _check(path, manifest, name, version)
    return manifest


def _foreign(path: Path, name: str, version: int) -> ForeignRecord:
    record = ForeignRecord.from_bytes(_read(path, limits.MANIFEST_BYTES))
    _check(path, record, name, version)
    return record


def _check(path: Path, about: About, name: str, version: int) -> None:
    if (about.name, about.version) != (name, version):
        raise ImageError(f"{path} is the record of {about.name} version {about.version}.")


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)
