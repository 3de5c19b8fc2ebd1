# SPDX-License-Identifier: GPL-3.0-or-later
"""What a published version leaves for ever: its bytes under their digest, and its signed manifest.

Both are second names (hard links) of the files that are shown, so they cost no room, and stay when
those are replaced. They are never written again. A manifest gets its name after the bytes that it
names, and after its signature: whoever finds it finds everything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from oglib.durable import sync
from oglib.errors import ImageError
from oglib.image.format.disk_manifest import (
    DISK_FILE,
    DISK_SIGNATURE,
    GAPS_FILE,
    DiskManifest,
    part_name,
)
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.manifest import Manifest
from ogrepo.library.folder import Folder, held, make_shown
from ogrepo.library.store import FOREIGN, FRAMES, IMAGE, MANIFEST, OLDER, SIGNATURE

RECORD, DISK_RECORD = ".json", ".disk.json"
DISK_RECORDS = {
    GAPS_FILE: ".disk.gaps",
    DISK_SIGNATURE: f"{DISK_RECORD}.sig",
    DISK_FILE: DISK_RECORD,
}
_PATIENCE_S = 60.0  # a large file takes a while to be removed
_RECORDED = (*OLDER, SIGNATURE, MANIFEST)

# from a suffix like ``.img.frames`` to the file
PathOf = Callable[[str], Path]


def record_suffix(suffix: str, part: int = 0) -> str:
    """``.img.sum`` of an image is ``N.sum`` of version N; of ``p2`` of a disk, ``N.p2.sum``."""
    return (f".p{part}" if part else "") + suffix.removeprefix(IMAGE)


def keep_image(folder: Folder, manifest: Manifest, path_of: PathOf, *, proven: bool) -> None:
    """Give the files of one version their lasting names; what was moved on had them before.

    ``proven``: the bytes were just compared with their digests, so they take the place of others
    that are called so.
    """
    with bytes_held(folder):
        _link_image(folder, manifest, path_of, proven=proven)
        sync(folder.bytes)
        records = [(path_of(suffix), record_suffix(suffix)) for suffix in _RECORDED]
        _record(folder, manifest.name, manifest.version, records)


def keep_foreign(folder: Folder, record: ForeignRecord, path_of: PathOf) -> None:
    """The same for an image of another program, whose bytes were just proven.

    An adopted one keeps its record alone: its bytes are another's, who may write others there.
    """
    with bytes_held(folder):
        if not path_of(IMAGE).is_symlink():
            link_bytes(folder, record.image_blake3, path_of(IMAGE), proven=True)
            sync(folder.bytes)
        records = [(path_of(suffix), record_suffix(suffix)) for suffix in FOREIGN[1:]]
        _record(folder, record.name, record.version, records)


def keep_disk(folder: Folder, disk: DiskManifest, at: Path, *, proven: bool) -> None:
    """The same for the image of a disk whose files lie in ``at``."""
    records = []
    with bytes_held(folder):
        for part in disk.images:
            path_of = partial(beside_part, at, part.number)
            manifest = Manifest.from_bytes(path_of(MANIFEST).read_bytes())
            if manifest.name != part_name(disk.name, part.number):
                raise ImageError(f"{path_of(MANIFEST)} is the manifest of {manifest.name}.")
            _link_image(folder, manifest, path_of, proven=proven)
            link_bytes(folder, part.manifest_blake3, path_of(MANIFEST), proven=proven)
            records += [
                (path_of(suffix), record_suffix(suffix, part.number)) for suffix in _RECORDED
            ]
        sync(folder.bytes)
        records += [(at / name, suffix) for name, suffix in DISK_RECORDS.items()]
        _record(folder, disk.name, disk.version, records)


def bytes_held(folder: Folder) -> AbstractContextManager[None]:
    """No other process gives or takes lasting names meanwhile."""
    return held(folder, "bytes", what=f"{folder.bytes}", patience_s=_PATIENCE_S)


def beside_part(at: Path, number: int, suffix: str) -> Path:
    """``p2.img`` and what stands beside it in the folder of a disk."""
    return at / f"p{number}{suffix}"


def _link_image(folder: Folder, manifest: Manifest, path_of: PathOf, *, proven: bool) -> None:
    link_bytes(folder, manifest.image_blake3, path_of(IMAGE), proven=proven)
    link_bytes(folder, manifest.frames_blake3, path_of(FRAMES), proven=proven)


def link_bytes(folder: Folder, digest: str, path: Path, *, proven: bool) -> None:
    """``bytes/HEX64`` for the bytes at ``path``, unless an earlier try moved that file on."""
    target = folder.bytes_file(digest)
    try:
        os.link(path, target)
    except FileNotFoundError:
        if not target.exists() and path.exists():
            raise
    except FileExistsError:
        if proven and not path.samefile(target):
            part = folder.bytes / f".{digest}.part"
            part.unlink(missing_ok=True)
            os.link(path, part)
            part.replace(target)


def _record(folder: Folder, name: str, version: int, records: Iterable[tuple[Path, str]]) -> None:
    at = folder.version_file(name, version, "").parent
    make_shown(at, folder.versions)
    for path, suffix in records:
        target = folder.version_file(name, version, suffix)
        try:
            os.link(path, target)
        except FileNotFoundError:
            continue  # moved on by an earlier try, or an image that has no such file
        except FileExistsError:
            if target.read_bytes() != path.read_bytes():
                raise ImageError(
                    f"{target} is another version {version} of {name}, and is never rewritten.",
                    hint="Look where it came from; move it away if it is not this repository's.",
                ) from None
    sync(at)
