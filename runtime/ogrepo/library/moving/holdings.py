# SPDX-License-Identifier: GPL-3.0-or-later
"""All that one name holds in a repository: what is shown of it, its versions, and their bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oglib import limits
from oglib.image.format.disk_manifest import DISK_FILE
from ogrepo.library.folder import Folder, checked_name, is_digest, walk
from ogrepo.library.store import ASIDE, IMAGE, MANIFEST, RECORD
from ogrepo.library.stored import stored

_DIGEST_KEY = "_blake3"
_MANIFESTS = ".json"


@dataclass(frozen=True, slots=True)
class Holdings:
    """Files by their paths below the repository, ``version`` that is shown (0: none, or unknown).

    ``digests``: what its versions name of ``bytes/`` and is there.
    """

    name: str
    is_disk: bool
    version: int
    shown: tuple[Path, ...]
    records: tuple[Path, ...]
    digests: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        return not self.shown and not self.records


def holdings_of(folder: Folder, name: str) -> Holdings:
    """What ``name`` holds; whatever is not readable as a manifest is a file like any other."""
    at = folder.images.joinpath(*checked_name(name).split("/"))
    is_disk = (at / DISK_FILE).exists()
    shown = [*_beside(at)]
    for disk in (at, at.with_name(at.name + ASIDE)):
        if (disk / DISK_FILE).exists():
            shown += [path / one for path, names in walk(disk) for one in names]
    kept = folder.versions.joinpath(*name.split("/"))
    records = [path for path in kept.iterdir() if path.is_file()] if kept.is_dir() else []
    digests = {one for path in (*shown, *records) for one in _named_in(folder, path)}
    return Holdings(
        name=name,
        is_disk=is_disk,
        version=_version(at),
        shown=tuple(sorted(path.relative_to(folder.root) for path in shown)),
        records=tuple(sorted(path.relative_to(folder.root) for path in records)),
        digests=tuple(sorted(one for one in digests if folder.bytes_file(one).exists())),
    )


def _beside(at: Path) -> Iterator[Path]:
    """``NAME.img`` and whatever is called so and a dot more; nothing else may be called so."""
    if not at.parent.is_dir():
        return
    for path in at.parent.iterdir():
        rest = path.name.removeprefix(at.name + IMAGE)
        if rest != path.name and rest[:1] in ("", ".") and not path.is_dir():
            yield path


def _version(at: Path) -> int:
    """As what is shown says of itself."""
    beside = (at.with_name(at.name + suffix) for suffix in (MANIFEST, RECORD))
    for path in (at / DISK_FILE, *beside):
        told = _parsed(path)
        version = told.get("version") if isinstance(told, dict) else None
        if isinstance(version, int):
            return version
    return 0


def _named_in(folder: Folder, path: Path) -> Iterator[str]:
    """The digests that a manifest names, and those that the manifests of a disk's images name."""
    if path.name.removesuffix(ASIDE).endswith(_MANIFESTS):
        for key, digest in _digests(path):
            yield digest
            if key == "manifest_blake3":
                yield from (inner for _, inner in _digests(folder.bytes_file(digest)))


def _digests(path: Path) -> Iterator[tuple[str, str]]:
    found = [_parsed(path)]
    while found:
        one = found.pop()
        if isinstance(one, dict):
            for key, value in one.items():
                if isinstance(value, str) and key.endswith(_DIGEST_KEY) and is_digest(value):
                    yield key, value
                else:
                    found.append(value)
        elif isinstance(one, list):
            found += one


def _parsed(path: Path) -> object:
    """The JSON in a file, None where there is none."""
    try:
        told: object = json.loads(stored(path, limits.MANIFEST_BYTES))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return told
