# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of whole disks: folders ``images/NAME/`` that appear, and are replaced, as a whole.

The images inside are bound to their ``disk.json`` by digest, so they are never exchanged singly.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from oglib import limits
from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.format.disk_gaps import unpacked_gaps
from oglib.image.format.disk_manifest import (
    DISK_FILE,
    DISK_SIGNATURE,
    GAPS_FILE,
    DiskManifest,
    part_name,
)
from oglib.image.format.manifest import (
    PublicKey,
    load_public_keys,
    verify_signature,
)
from oglib.progress import Progress
from ogrepo.library.folder import Folder, checked_name, walk
from ogrepo.library.proving.pacing import Pace
from ogrepo.library.store import ASIDE, find_at
from ogrepo.library.stored import stored
from ogrepo.library.verify import verify_published
from ogrepo.refusal import Refusal
from ogrepo.shortage import is_shortage


@dataclass(frozen=True, slots=True)
class PublishedDisk:
    """The image of a disk as it stands in the folder; ``key_id`` as of ``store.Published``."""

    manifest: DiskManifest
    raw: bytes
    signature: bytes
    key_id: str
    path: Path

    @property
    def name(self) -> str:
        return self.manifest.name

    def as_dict(self) -> dict[str, object]:
        """One entry of the JSON listing."""
        disk = self.manifest
        return {
            "name": disk.name,
            "version": disk.version,
            "title": disk.title,
            "comment": disk.comment,
            "os": disk.os,
            "hostname": disk.hostname,
            "filesystem": "disk",
            "created": disk.created,
            "size_bytes": sum(part.image_size_bytes for part in disk.images) + disk.gaps_bytes,
            "required_bytes": disk.size_bytes,
            "used_bytes": sum(part.used_bytes for part in disk.images),
            "key_id": self.key_id,
        }


def find_disk(folder: Folder, name: str, keys: Sequence[PublicKey]) -> PublishedDisk:
    """The published disk of this name; raises when it is absent or incomplete."""
    path = disk_path(folder, name)
    try:
        raw = stored(path / DISK_FILE, limits.DISK_MANIFEST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"There is no image of a disk named {name}.") from None
    except OSError as error:
        raise ImageError(f"{path / DISK_FILE} cannot be read: {error.strerror}.") from error
    disk = DiskManifest.from_bytes(raw)
    if disk.name != name:
        raise ImageError(f"{path} holds the image {disk.name}, not {name}.")
    for part in disk.images:
        find_at(path / f"p{part.number}", part_name(name, part.number), list(keys))
    signature, key_id = b"", ""
    with contextlib.suppress(FileNotFoundError):
        signature = stored(path / DISK_SIGNATURE)
    if signature:
        with contextlib.suppress(ImageError):
            key_id = verify_signature(raw, signature, list(keys))
    return PublishedDisk(disk, raw, signature, key_id, path)


def disk_names(folder: Folder) -> list[str]:
    """The folders that are called the image of a disk, complete or not."""
    found = (path for path, names in walk(folder.images) if DISK_FILE in names)
    names = (str(path.relative_to(folder.images)) for path in found)
    return sorted(name for name in names if not name.endswith(ASIDE))


def files_of(folder: Folder, name: str) -> list[Path]:
    """The files of the folder that is called the image of a disk."""
    path = folder.images.joinpath(*name.split("/"))
    return [at / each for at, names in walk(path) for each in sorted(names)]


def published_disks(folder: Folder) -> list[PublishedDisk]:
    """Every complete image of a disk, by name."""
    keys = load_public_keys(folder.keys)
    complete = []
    for name in disk_names(folder):
        try:
            complete.append(find_disk(folder, checked_name(name), keys))
        except OgError as error:
            if is_shortage(error):
                raise
    return complete


def verify_disk(
    disk: PublishedDisk, keys: Sequence[PublicKey], progress: Progress, pace: Pace | None = None
) -> int:
    """Prove all of a published disk, its signatures included; returns the bytes of content.

    It reads no faster than ``pace``.
    """
    if not disk.signature:
        raise ImageError(f"The image {disk.name} is not signed.", hint="Upload it again.")
    verify_signature(disk.raw, disk.signature, list(keys))
    unpacked_gaps(disk.manifest, gaps_of(disk.path))
    content = 0
    for part in disk.manifest.images:
        name = part_name(disk.name, part.number)
        image = find_at(disk.path / f"p{part.number}", name, list(keys))
        if blake3(image.manifest_bytes).hexdigest() != part.manifest_blake3:
            raise ImageError(f"The image {name} is not the one that its disk was made with.")
        content += verify_published(image, keys, progress, pace).content_bytes
    return content


def refuse_inside(folder: Folder, name: str) -> None:
    """An image cannot be published into the folder of a disk."""
    path = disk_path(folder, name)
    for above in path.parents:
        if above == folder.images:
            return
        if (above / DISK_FILE).exists():
            raise Refusal(
                409,
                f"{above.relative_to(folder.images)} is the image of a disk, so no other image "
                "is put inside.",
                hint="Choose another name.",
            )


def gaps_of(path: Path) -> bytes:
    """``disk.gaps`` in the folder of a disk; empty where the disk has none."""
    try:
        return stored(path / GAPS_FILE, limits.DISK_GAPS_BYTES)
    except FileNotFoundError:
        return b""


def disk_path(folder: Folder, name: str) -> Path:
    """Where the image of a disk has its folder."""
    return folder.images.joinpath(*checked_name(name).split("/"))
