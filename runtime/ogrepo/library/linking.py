# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder whose images have no lasting names yet gets them: by links, without reading any bytes.

So does what somebody copied into ``images/`` by hand. What is shown, and the version before it
(``.ant``), count; what has its names already costs a look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from oglib import limits
from oglib.errors import ImageError, OgError
from oglib.image.format.disk_manifest import DISK_FILE, DISK_SIGNATURE, DiskManifest
from oglib.image.format.manifest import Manifest
from ogrepo.library.folder import Folder, checked_name, walk
from ogrepo.library.keep import DISK_RECORD, RECORD, keep_disk, keep_image
from ogrepo.library.store import ASIDE, FRAMES, IMAGE, MANIFEST, SIGNATURE
from ogrepo.library.stored import stored
from ogrepo.shortage import is_shortage


def link_all(folder: Folder) -> list[str]:
    """Give every signed version in ``images/`` its lasting names; sentences for a log."""
    said, linked = [], 0
    for path, link in list(_versions(folder)):
        try:
            linked += link()
        except (OgError, OSError) as error:
            if is_shortage(error):
                raise
            said.append(f"{path.relative_to(folder.root)} gets no lasting address: {error}")
    if linked:
        said.insert(0, f"Gave {linked} version{'s' * (linked != 1)} of images a lasting address.")
    return said


def _versions(folder: Folder) -> Iterator[tuple[Path, Callable[[], bool]]]:
    for at, names in walk(folder.images):
        if DISK_FILE in names:
            yield at, partial(_link_disk, folder, at)
            continue
        for name in sorted(names):
            for aside in ("", ASIDE):
                if name.endswith(MANIFEST + aside):
                    stem = at / name.removesuffix(MANIFEST + aside)
                    yield at / name, partial(_link_image, folder, stem, aside)


def _link_image(folder: Folder, stem: Path, aside: str) -> bool:
    """Whether it got names; what nobody signed has none, for nobody vouches for its bytes."""
    path_of = partial(_beside, stem, aside)
    manifest = Manifest.from_bytes(stored(path_of(MANIFEST), limits.MANIFEST_BYTES))
    name = checked_name(str(stem.relative_to(folder.images)))
    _check_called(manifest.name, name, path_of(MANIFEST))
    if not manifest.version or not path_of(SIGNATURE).exists():
        return False
    if _is_same(folder.version_file(name, manifest.version, RECORD), path_of(MANIFEST)):
        return False
    if path_of(IMAGE).stat().st_size != manifest.image_size_bytes:
        raise ImageError(f"{path_of(IMAGE)} has not the size that its manifest says.")
    path_of(FRAMES).stat()
    keep_image(folder, manifest, path_of, proven=False)
    return True


def _link_disk(folder: Folder, at: Path) -> bool:
    """The same for the image of a disk."""
    disk = DiskManifest.from_bytes(stored(at / DISK_FILE, limits.DISK_MANIFEST_BYTES))
    name = checked_name(str(at.relative_to(folder.images)).removesuffix(ASIDE))
    _check_called(disk.name, name, at / DISK_FILE)
    if not disk.version or not (at / DISK_SIGNATURE).exists():
        return False
    if _is_same(folder.version_file(name, disk.version, DISK_RECORD), at / DISK_FILE):
        return False
    keep_disk(folder, disk, at, proven=False)
    return True


def _is_same(record: Path, path: Path) -> bool:
    return record.exists() and record.samefile(path)


def _check_called(said: str, name: str, path: Path) -> None:
    if said != name:
        raise ImageError(f"{path} is the manifest of {said}.")


def _beside(stem: Path, aside: str, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix + aside)
