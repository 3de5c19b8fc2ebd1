# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of whole disks: folders ``images/NAME/`` that appear, and are replaced, as a whole.

An upload gathers one in ``whole/``; proven and signed, that folder takes the image's name, and the
one before it stays as ``NAME.ant``. The images inside are bound to their ``disk.json`` by digest,
so they are never exchanged singly.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from blake3 import blake3

from oglib import limits
from oglib.durable import sync
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
    PrivateKey,
    PublicKey,
    load_public_keys,
    sign,
    verify_signature,
)
from oglib.progress import Progress
from ogrepo.library.folder import Folder, checked_name, make_shown, walk, write_whole
from ogrepo.library.signed import prove, received_manifest, write_signed
from ogrepo.library.store import FRAMES, IMAGE, PLACED, find_at, next_version
from ogrepo.library.verify import verify_published
from ogrepo.refusal import Refusal
from ogrepo.shortage import is_shortage

DISK, GAPS = "disk", "gaps"  # what an upload calls them
PART_KIND = re.compile(r"(p[1-9][0-9]{0,2})-(image|frames|manifest)", re.ASCII)
_WHOLE = "whole"
_ASIDE = ".ant"


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
    path = _path(folder, name)
    try:
        with (path / DISK_FILE).open("rb") as file:
            raw = file.read(limits.DISK_MANIFEST_BYTES + 1)
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
        signature = (path / DISK_SIGNATURE).read_bytes()
    if signature:
        with contextlib.suppress(ImageError):
            key_id = verify_signature(raw, signature, list(keys))
    return PublishedDisk(disk, raw, signature, key_id, path)


def disk_names(folder: Folder) -> list[str]:
    """The folders that are called the image of a disk, complete or not."""
    found = (path for path, names in walk(folder.images) if DISK_FILE in names)
    names = (str(path.relative_to(folder.images)) for path in found)
    return sorted(name for name in names if not name.endswith(_ASIDE))


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


def verify_disk(disk: PublishedDisk, keys: Sequence[PublicKey], progress: Progress) -> int:
    """Prove all of a published disk, its signatures included; returns the bytes of content."""
    if not disk.signature:
        raise ImageError(f"The image {disk.name} is not signed.", hint="Upload it again.")
    verify_signature(disk.raw, disk.signature, list(keys))
    unpacked_gaps(disk.manifest, _gaps(disk.path))
    content = 0
    for part in disk.manifest.images:
        name = part_name(disk.name, part.number)
        image = find_at(disk.path / f"p{part.number}", name, list(keys))
        if blake3(image.manifest_bytes).hexdigest() != part.manifest_blake3:
            raise ImageError(f"The image {name} is not the one that its disk was made with.")
        content += verify_published(image, keys, progress).content_bytes
    return content


def refuse_inside(folder: Folder, name: str) -> None:
    """An image cannot be published into the folder of a disk."""
    path = _path(folder, name)
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


def staged_file(staged: Path, kind: str) -> Path | None:
    """Where an upload gathers a file of a disk; None for a file of a single image."""
    found = PART_KIND.fullmatch(kind)
    if found is None and kind not in (DISK, GAPS):
        return None
    if kind == DISK or (found and found[2] == "manifest"):
        return staged / kind
    whole = staged / _WHOLE
    whole.mkdir(mode=0o755, exist_ok=True)
    if found is None:
        return whole / GAPS_FILE
    return whole / (found[1] + {"image": IMAGE, "frames": FRAMES}[found[2]])


def is_disk(staged: Path) -> bool:
    """Whether what was uploaded is the image of a disk."""
    return (staged / DISK).exists()


def staged_disk(staged: Path) -> Path | None:
    """The folder of a disk that is ready to be published; None where ``staged`` holds none."""
    whole = staged / _WHOLE
    return whole if (whole / DISK_FILE).exists() else None


def prepare_disk(
    folder: Folder, name: str, staged: Path, key: PrivateKey, progress: Progress
) -> int:
    """Prove, number and sign a received disk; its version. ``ImageError`` where it is damaged."""
    disk = DiskManifest.from_bytes((staged / DISK).read_bytes())
    if disk.name != name:
        raise ImageError(
            f"The upload's disk is {disk.name}, its token for {name}.",
            hint="Get a token for the name under which you capture.",
        )
    there = _path(folder, name)
    if there.exists() and not (there / DISK_FILE).exists():
        raise ImageError(
            f"{name} is a folder of other images in this repository.", hint="Choose another name."
        )
    whole = staged / _WHOLE
    whole.mkdir(mode=0o755, exist_ok=True)
    unpacked_gaps(disk, _gaps(whole))
    manifests = {}
    for part in disk.images:
        received = staged / f"p{part.number}-manifest"
        manifest = received_manifest(received, part_name(name, part.number))
        if blake3(received.read_bytes()).hexdigest() != part.manifest_blake3:
            raise ImageError(f"The upload's image {manifest.name} belongs to another disk.")
        prove(manifest, partial(_beside, whole, part.number), progress)
        manifests[part.number] = manifest
    version = next_version(folder, name)
    rows = []
    for part in disk.partitions:
        if part.is_image:
            path_of = partial(_beside, whole, part.number)
            signed = write_signed(manifests[part.number], version, key, path_of)
            part = replace(part, manifest_blake3=blake3(signed).hexdigest())  # noqa: PLW2901
        rows.append(part)
    raw = replace(
        disk, partitions=tuple(rows), version=version, key_id=key.public.key_id
    ).to_bytes()
    DiskManifest.from_bytes(raw)
    if disk.gaps_bytes:
        (whole / GAPS_FILE).chmod(0o644)
        sync(whole / GAPS_FILE)
    write_whole(whole / DISK_SIGNATURE, sign(raw, key))
    write_whole(whole / DISK_FILE, raw)
    _keep_only(whole, disk)
    sync(whole)
    return version


def _keep_only(whole: Path, disk: DiskManifest) -> None:
    """What the disk does not name is not published with it."""
    named = {DISK_FILE, DISK_SIGNATURE, *([GAPS_FILE] if disk.gaps_bytes else [])}
    named |= {f"p{part.number}{suffix}" for part in disk.images for suffix in PLACED}
    for path in whole.iterdir():
        if path.name not in named:
            path.unlink()


def place_disk(folder: Folder, name: str, staged: Path) -> None:
    """Show the folder in ``staged``, unless an earlier try has; ``publishing`` calls this."""
    whole, there = staged / _WHOLE, _path(folder, name)
    if not whole.exists():
        return
    aside = there.with_name(there.name + _ASIDE)
    make_shown(there.parent, folder.images)
    if there.exists():
        shutil.rmtree(aside, ignore_errors=True)
        there.replace(aside)
    whole.replace(there)
    sync(there.parent)
    sync(staged)


def _beside(whole: Path, number: int, suffix: str) -> Path:
    return whole / f"p{number}{suffix}"


def _gaps(path: Path) -> bytes:
    try:
        with (path / GAPS_FILE).open("rb") as file:
            return file.read(limits.DISK_GAPS_BYTES + 1)
    except FileNotFoundError:
        return b""


def _path(folder: Folder, name: str) -> Path:
    return folder.images.joinpath(*checked_name(name).split("/"))
