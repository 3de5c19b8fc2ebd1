# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the folder of a whole disk's image is: on this PC, on a share, or at an address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from oglib import limits
from oglib.connection import USUAL, Connection
from oglib.deploy.opening.fetching import fetch_if_there
from oglib.deploy.opening.reference import (
    ASIDE,
    IMAGES,
    Keeping,
    is_path,
    no_version,
    refuse_ambiguous,
    versioned,
)
from oglib.deploy.opening.shared import found_on_share
from oglib.errors import ImageError, NotFoundError
from oglib.image.format.disk_manifest import DISK_FILE, DiskManifest
from oglib.image.format.manifest import check_name
from oglib.kernel.far import STALL_S, within
from oglib.settings import Settings


@dataclass(frozen=True, slots=True)
class FolderLocation:
    """Where a folder image is: exactly one of ``path`` and ``url`` is set; ``name`` as asked.

    ``version``: that one and no other; 0 for the one that is shown. ``kept``: the address of a
    repository's records of this version; empty where its files lie in the folder. ``hold``: what
    keeps it in the cache. ``repository``: its address, where the folder is on its share.
    """

    name: str
    path: Path | None = None
    url: str = ""
    version: int = 0
    connection: Connection = USUAL
    repository: str = ""
    kept: str = ""
    hold: Keeping | None = None

    @property
    def where(self) -> str:
        return str(self.path or self.url)

    @property
    def disk_name(self) -> str:
        """What its ``disk.json`` calls it; the folder of the version before has a longer name."""
        return self.name.removesuffix(ASIDE)

    def aside(self) -> FolderLocation:
        """The version before."""
        name = self.name + ASIDE
        if self.path is not None:
            return replace(self, name=name, path=self.path.with_name(name))
        return replace(self, name=name, url=self.url + ASIDE)

    def read(self, file: str, limit_bytes: int) -> bytes | None:
        if self.path is not None:
            path = self.path / file
            return within(str(path), STALL_S, lambda: _file(path, limit_bytes))
        return fetch_if_there(self.address(file), limit_bytes, self.connection)

    def address(self, file: str) -> str:
        """Of one of its files on a web server; ``disk.json`` is kept as ``3.disk.json``."""
        return f"{self.kept}.{file}" if self.kept else f"{self.url}/{file}"

    def kept_part(self, number: int) -> str:
        """The same as ``kept`` for the image of a partition."""
        return f"{self.kept}.p{number}" if self.kept else ""

    def as_kept(self) -> FolderLocation | None:
        """The version as a repository keeps it behind what it shows; None: this is in none."""
        base, below, name = self.url.rpartition(IMAGES)
        if not below:
            return None
        return replace(self, kept=f"{base}/versions/{name}/{self.version}")


def location_of(text: str, settings: Settings) -> FolderLocation:
    """Where the image that ``text`` names is, if it is one of a whole disk."""
    text, version = versioned(text)
    if "://" in text:
        base = text.removesuffix(f"/{DISK_FILE}").rstrip("/")
        _, below, tail = base.rpartition(IMAGES)
        name = check_name(tail if below else base.rpartition("/")[2])
        return FolderLocation(name, url=base, version=version, connection=settings.connection)
    if is_path(text) or Path(text).is_absolute():
        path = Path(text.removesuffix(f"/{DISK_FILE}"))
        return FolderLocation(path.resolve().name, path=path, version=version)
    refuse_ambiguous(text, settings)
    found = found_on_share(check_name(text), settings)
    if found is not None:
        repository = settings.repository_url()
        return FolderLocation(text, path=found, version=version, repository=repository)
    url = f"{settings.repository_url()}/images/{text}"
    return FolderLocation(
        check_name(text), url=url, version=version, connection=settings.connection
    )


def located(location: FolderLocation) -> FolderLocation | None:
    """The folder of the version that was asked for: shown, the one before, or kept behind them.

    None where none of them is a disk of ours.
    """
    if not location.version:
        return location
    known = []
    for one in (location, location.aside(), location.as_kept()):
        raw = one.read(DISK_FILE, limits.DISK_MANIFEST_BYTES) if one else None
        if one is None or raw is None:
            continue
        found = DiskManifest.from_bytes(raw).version
        if found == location.version:
            return one
        known.append(str(found))
    if not known:
        return None
    raise no_version(location.name, location.version, location.where, known)


def _file(path: Path, limit_bytes: int) -> bytes | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            raw = file.read(limit_bytes + 1)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > limit_bytes:
        raise ImageError(f"{path} has more than {limit_bytes} bytes.")
    return raw
