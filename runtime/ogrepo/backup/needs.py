# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bytes the manifests of a repository name, and which of them are not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from oglib import limits
from oglib.errors import ImageError, OgError
from oglib.image.format.disk_manifest import DISK_FILE, DiskManifest
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.manifest import Manifest
from oglib.texts import read_whole
from ogrepo.library.folder import walk

_SHOWN = re.compile(r"(.+\.img)(?:\.foreign)?\.json(\.ant)?", re.DOTALL)
_FRAMES = ".frames"
_DISK_RECORD = ".disk.json"
_RECORD = re.compile(r"[0-9]+(?:\.p[0-9]+)?\.json")


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes with a digest. ``names``: the files below the repository that show them; ``size``
    None: the manifest does not tell it."""

    digest: str
    size: int | None
    names: tuple[str, ...]
    told: str

    @property
    def place(self) -> str:
        return f"bytes/{self.digest}"


def needs(root: Path) -> list[Need]:
    """All bytes that the manifests in ``images`` and ``versions`` name, by what they are of."""
    found: dict[str, Need] = {}
    for need in (*_shown(root), *_kept(root)):
        known = found.get(need.digest)
        if known is None:
            found[need.digest] = need
        elif new := tuple(name for name in need.names if name not in known.names):
            found[need.digest] = Need(
                need.digest, known.size or need.size, (*known.names, *new), known.told
            )
    return sorted(found.values(), key=lambda need: (need.told, need.digest))


def missing(root: Path) -> list[Need]:
    """Those of which nothing here has the bytes, judged by name and size."""
    return [need for need in needs(root) if not any(True for _ in here(root, need))]


def unreadable(root: Path) -> list[str]:
    """The manifests and records that do not tell what bytes they need, as paths below ``root``."""
    found = []
    for room, is_one in (("images", _SHOWN.fullmatch), ("versions", _RECORD.fullmatch)):
        for folder, names in walk(root / room):
            for name in names:
                path = folder / name
                if name == DISK_FILE or name.endswith(_DISK_RECORD):
                    bad = _disk(path) is None
                else:
                    bad = is_one(name) is not None and _read(path) is None
                if bad:
                    found.append(str(path.relative_to(root)))
    return sorted(found)


def here(root: Path, need: Need) -> Iterator[Path]:
    """Where its bytes are in this repository, by name and size."""
    for name in (need.place, *need.names):
        path = root / name
        if path.is_file() and need.size in (None, path.stat().st_size):
            yield path


def _shown(root: Path) -> Iterator[Need]:
    for folder, names in walk(root / "images"):
        for name in sorted(names):
            if name == DISK_FILE:
                yield from _parts(root, folder / name, str(folder.relative_to(root)))
            match = _SHOWN.fullmatch(name)
            manifest = _read(folder / name) if match else None
            if match is None or manifest is None:
                continue
            stem, aside = folder.relative_to(root) / match[1], match[2] or ""
            yield from _of(manifest, f"{stem}{aside}", f"{stem}{_FRAMES}{aside}")


def _kept(root: Path) -> Iterator[Need]:
    for folder, names in walk(root / "versions"):
        for name in sorted(names):
            if name.endswith(_DISK_RECORD):
                yield from _parts(root, folder / name)
            manifest = _read(folder / name) if name.endswith(".json") else None
            if manifest is not None:
                yield from _of(manifest)


def _of(manifest: Manifest | ForeignRecord, image: str = "", frames: str = "") -> Iterator[Need]:
    told = f"{manifest.name} version {manifest.version}"
    shown = (image,) if image else ()
    yield Need(manifest.image_blake3, manifest.image_size_bytes, shown, told)
    if isinstance(manifest, ForeignRecord):
        return
    shown = (frames,) if frames else ()
    yield Need(manifest.frames_blake3, None, shown, f"{told}, its frame table")


def _parts(root: Path, path: Path, shown: str = "") -> Iterator[Need]:
    """The manifests of a disk's images, which have an address by digest as well."""
    disk = _disk(path)
    if disk is None:
        return
    for part in disk.images:
        kept = f"versions/{disk.name}/{disk.version}.p{part.number}.json"
        names = (kept, f"{shown}/p{part.number}.img.json") if shown else (kept,)
        there = tuple(name for name in names if (root / name).is_file())
        told = f"{disk.name} version {disk.version}, the manifest of partition {part.number}"
        yield Need(part.manifest_blake3, None, there, told)


def _disk(path: Path) -> DiskManifest | None:
    with suppress(OgError, FileNotFoundError):
        return DiskManifest.from_bytes(read_whole(path, limits.DISK_MANIFEST_BYTES))
    return None


def _read(path: Path) -> Manifest | ForeignRecord | None:
    """The manifest or record in a file; None: it is neither, as that of a disk is."""
    with suppress(OgError, FileNotFoundError):
        raw = read_whole(path, limits.MANIFEST_BYTES)
        with suppress(ImageError):
            return Manifest.from_bytes(raw)
        return ForeignRecord.from_bytes(raw)
    return None
