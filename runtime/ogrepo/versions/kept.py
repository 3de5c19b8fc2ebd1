# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of each version that was published, as its record in ``versions/NAME/`` tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oglib import limits
from oglib.errors import ImageError, NotFoundError, OgErr, UsageError
from oglib.image.format.disk_manifest import DISK_FILE, DiskManifest, part_name
from oglib.image.format.manifest import Manifest
from oglib.wording.nearest import meant
from ogrepo.library.disks import disk_path
from ogrepo.library.folder import Folder, checked_name, walk
from ogrepo.library.keep import DISK_RECORD, RECORD, record_suffix
from ogrepo.library.store import ASIDE, MANIFEST, kept_numbers


@dataclass(frozen=True, slots=True)
class Kept:
    """One version. ``parts``: the manifests of a disk's images, by the number of the partition.

    ``recorded_at``: when its record was written, in seconds since 1970.
    """

    about: Manifest | DiskManifest
    recorded_at: float
    parts: dict[int, Manifest] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def version(self) -> int:
        return self.about.version

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """Of its images: of itself, or of those in the disk."""
        if isinstance(self.about, Manifest):
            return (self.about,)
        return tuple(self.parts.values())

    @property
    def digests(self) -> frozenset[str]:
        """The names in ``bytes/`` that it needs."""
        found = {one.image_blake3 for one in self.manifests}
        found |= {one.frames_blake3 for one in self.manifests}
        if isinstance(self.about, DiskManifest):
            found |= {part.manifest_blake3 for part in self.about.images}
        return frozenset(found)

    @property
    def content(self) -> tuple[str, ...]:
        """What two versions have in common when the one is the other's content again."""
        return tuple(one.image_blake3 for one in self.manifests)

    @property
    def size_bytes(self) -> int:
        return sum(one.image_size_bytes for one in self.manifests)


@dataclass(frozen=True, slots=True)
class Standing:
    """Which versions of a name ``images/`` holds; 0 = none. ``before``: the one called ``.ant``."""

    shown: int
    before: int


def kept_names(folder: Folder) -> list[str]:
    """The names of which a version is kept, shown or not."""
    return sorted(
        str(at.relative_to(folder.versions))
        for at, names in walk(folder.versions)
        if any(name.endswith(RECORD) for name in names)
    )


def kept_versions(folder: Folder, name: str) -> list[Kept]:
    """All kept versions of a name, the oldest first. ``ImageError``: a record cannot be read."""
    return [read_kept(folder, name, number) for number in versions_of(folder, name)]


def versions_of(folder: Folder, name: str) -> list[int]:
    """Their numbers; a record that is not whole (of a disk, its own record is missing) is none."""
    return [number for number in kept_numbers(folder, name) if _record_of(folder, name, number)]


def _record_of(folder: Folder, name: str, version: int) -> str:
    """The suffix of the record that makes it a version; empty where there is none."""
    suffixes = (RECORD, DISK_RECORD)
    there = (one for one in suffixes if folder.version_file(name, version, one).exists())
    return next(there, "")


def read_kept(folder: Folder, name: str, version: int) -> Kept:
    """One kept version; ``NotFoundError`` where it is none of them."""
    suffix = _record_of(folder, name, version)
    if not suffix:
        raise NotFoundError(
            f"No version {version} of the image {name} is kept.",
            hint=_there_are(folder, name),
            code=OgErr.NOTFOUND,
        )
    path = folder.version_file(name, version, suffix)
    recorded_at = path.stat().st_mtime
    if suffix == RECORD:
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
    if not versions_of(folder, checked_name(name)):
        raise NotFoundError(
            f"No version of an image {name} is kept in {folder.root}.",
            hint=f"{meant(name, kept_names(folder))}`ogrepo versions {folder.root}` shows all.",
        )
    return name


def standing(folder: Folder, name: str) -> Standing:
    """What ``images/`` holds of a name now."""
    return Standing(_version_at(folder, name, ""), _version_at(folder, name, ASIDE))


def _version_at(folder: Folder, name: str, aside: str) -> int:
    try:
        raw = _read(folder.image_file(name, MANIFEST + aside), limits.MANIFEST_BYTES)
        return Manifest.from_bytes(raw).version
    except (FileNotFoundError, NotADirectoryError):
        pass
    at = disk_path(folder, name)
    try:
        raw = _read(at.with_name(at.name + aside) / DISK_FILE, limits.DISK_MANIFEST_BYTES)
        return DiskManifest.from_bytes(raw).version
    except (FileNotFoundError, NotADirectoryError):
        return 0


def split_version(text: str) -> tuple[str, int]:
    """``debian@3`` as ``debian`` and 3; 0 where no version is named."""
    name, at, number = text.partition("@")
    if at and not (number.isascii() and number.isdecimal() and 0 < int(number) < 1 << 63):
        raise UsageError(f"{text!r} names no version.", hint="Write it as in debian@3.")
    return checked_name(name), int(number or 0)


def _there_are(folder: Folder, name: str) -> str:
    numbers: Sequence[int] = versions_of(folder, name)
    return f"There are {', '.join(map(str, numbers))}." if numbers else "There is none."


def _manifest(path: Path, name: str, version: int) -> Manifest:
    manifest = Manifest.from_bytes(_read(path, limits.MANIFEST_BYTES))
    _check(path, manifest, name, version)
    return manifest


def _check(path: Path, about: Manifest | DiskManifest, name: str, version: int) -> None:
    if (about.name, about.version) != (name, version):
        raise ImageError(f"{path} is the record of {about.name} version {about.version}.")


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)
