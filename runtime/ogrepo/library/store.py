# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published: list it, and bring a new version in without ever showing half of one.

The manifest is what makes an image visible. It goes first when an old version is put aside and
comes last when a new one is placed, each behind a flush of the folder. A publication that was
cut is finished by doing it again: every step sees whether it was done.
"""

from __future__ import annotations

import contextlib
import stat
from dataclasses import dataclass
from pathlib import Path

from oglib import limits
from oglib.durable import sync
from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.format.disk_manifest import DISK_FILE
from oglib.image.format.manifest import Manifest, PublicKey, load_public_keys, verify_signature
from ogrepo.library.folder import Folder, checked_name, make_shown, walk, write_whole
from ogrepo.shortage import is_shortage, says_absent

IMAGE = ".img"
FRAMES = ".img.frames"
MANIFEST = ".img.json"
SIGNATURE = ".img.json.sig"
OLDER = (".img.sum", ".img.full.sum", ".img.info")
PLACED = (IMAGE, FRAMES, *OLDER, SIGNATURE, MANIFEST)  # in this order, the manifest last
_TORRENT = ".img.torrent"
ASIDE = ".ant"


@dataclass(frozen=True, slots=True)
class Published:
    """An image as it stands in the folder; ``key_id`` is empty when no key of ours signed it."""

    manifest: Manifest
    manifest_bytes: bytes
    signature: bytes
    key_id: str
    image: Path
    frames: Path

    @property
    def name(self) -> str:
        return self.manifest.name

    def as_dict(self) -> dict[str, object]:
        """One entry of the JSON listing."""
        manifest = self.manifest
        return {
            "name": manifest.name,
            "version": manifest.version,
            "title": manifest.title,
            "comment": manifest.comment,
            "os": manifest.source.os,
            "hostname": manifest.source.hostname,
            "filesystem": manifest.filesystem,
            "created": manifest.created,
            "size_bytes": manifest.image_size_bytes,
            "required_bytes": manifest.device_size_bytes,
            "used_bytes": manifest.used_blocks * manifest.block_size,
            "key_id": self.key_id,
        }


def find(folder: Folder, name: str, keys: list[PublicKey]) -> Published:
    """The published image of this name; raises when it is absent or its files do not agree."""
    return find_at(folder.image_file(name, ""), name, keys)


def find_at(stem: Path, name: str, keys: list[PublicKey]) -> Published:
    """The same for the files ``STEM.img`` and what stands beside it."""

    def beside(suffix: str) -> Path:
        return stem.with_name(stem.name + suffix)

    manifest_path = beside(MANIFEST)
    try:
        with manifest_path.open("rb") as file:
            raw = file.read(limits.MANIFEST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"There is no image named {name} at {stem}{IMAGE}.",
            hint="`ogrepo list DIR` shows what is there.",
        ) from None
    except OSError as error:
        raise ImageError(f"{manifest_path} cannot be read: {error.strerror}.") from error
    manifest = Manifest.from_bytes(raw)
    image, frames = beside(IMAGE), beside(FRAMES)
    if manifest.name != name:
        raise ImageError(f"{manifest_path} is the manifest of {manifest.name}, not of {name}.")
    if _size(frames) is None or (size := _size(image)) is None:
        raise ImageError(f"{manifest_path} has no image or no frame table beside it.")
    if size != manifest.image_size_bytes:
        raise ImageError(f"{image} has not the size that its manifest says.")
    signature, key_id = b"", ""
    with contextlib.suppress(FileNotFoundError):
        signature = beside(SIGNATURE).read_bytes()
    if signature:
        with contextlib.suppress(ImageError):
            key_id = verify_signature(raw, signature, keys)
    return Published(manifest, raw, signature, key_id, image, frames)


def _size(path: Path) -> int | None:
    """The size of a regular file; None = there is none. ``ImageError`` when it cannot be said."""
    try:
        status = path.stat()
    except OSError as error:
        if says_absent(error):
            return None
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from error
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def names(folder: Folder) -> list[str]:
    """The names under which there is a manifest, complete or not; those of a disk are its own."""
    return sorted(
        str((path / name).relative_to(folder.images)).removesuffix(MANIFEST)
        for path, names in walk(folder.images)
        if DISK_FILE not in names
        for name in names
        if name.endswith(MANIFEST)
    )


def files_of(folder: Folder, name: str) -> list[Path]:
    """The files that decide whether an image is complete, and what is shown of it."""
    stem = folder.images.joinpath(*name.split("/"))
    return [stem.with_name(stem.name + end) for end in (MANIFEST, SIGNATURE, FRAMES, IMAGE)]


def published(folder: Folder) -> list[Published]:
    """Every complete image, by name. What is not complete is not an image."""
    keys = load_public_keys(folder.keys)
    complete = []
    for name in names(folder):
        try:
            complete.append(find(folder, checked_name(name), keys))
        except OgError as error:
            if is_shortage(error):
                raise
    return complete


def next_version(folder: Folder, name: str) -> int:
    """A number above every one that this name ever had here, remembered before it is used."""
    record = folder.record("versions", name)
    known = [0]
    with contextlib.suppress(FileNotFoundError):
        known.append(int(record.read_text(encoding="ascii")))
    for suffix in (MANIFEST, MANIFEST + ASIDE):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, OgError):
            raw = folder.image_file(name, suffix).read_bytes()
            known.append(Manifest.from_bytes(raw).version)
    known += kept_numbers(folder, name)
    version = max(known) + 1
    write_whole(record, f"{version}\n".encode())
    return version


def kept_numbers(folder: Folder, name: str) -> list[int]:
    """The numbers of its versions that have a record, whatever else is gone; in order."""
    at = folder.versions.joinpath(*checked_name(name).split("/"))
    numbers = (path.name.partition(".")[0] for path in at.glob("*.json"))
    return sorted({int(one) for one in numbers if one.isascii() and one.isdecimal()})


def staged_file(staged: Path, suffix: str) -> Path:
    """Where an upload keeps the file that will be ``NAME`` + ``suffix``."""
    return staged / suffix.lstrip(".")


def place(folder: Folder, name: str, staged: Path) -> None:
    """Show the files in ``staged``, all of which are there or were placed by an earlier try.

    The version before stays as the set of files ending in ``.ant``. ``publishing`` calls this.
    """
    target = folder.image_file(name, MANIFEST)
    if not staged_file(staged, MANIFEST).exists():
        return  # placed already: the manifest is the last to leave
    make_shown(target.parent, folder.images)
    _put_aside(folder, name, staged)
    for suffix in PLACED:
        if suffix == MANIFEST:
            sync(target.parent)
        waiting = staged_file(staged, suffix)
        if waiting.exists():
            waiting.replace(folder.image_file(name, suffix))
    sync(target.parent)


def _put_aside(folder: Folder, name: str, staged: Path) -> None:
    current = (MANIFEST, SIGNATURE, _TORRENT, *OLDER, FRAMES, IMAGE)
    if folder.image_file(name, MANIFEST).exists():
        for suffix in current:
            folder.image_file(name, suffix + ASIDE).unlink(missing_ok=True)
    for suffix in current:
        path = folder.image_file(name, suffix)
        # A file that is no longer staged was placed by an earlier try: it is the new one.
        placed = suffix != _TORRENT and not staged_file(staged, suffix).exists()
        if path.exists() and not placed:
            path.replace(folder.image_file(name, suffix + ASIDE))
        if suffix == MANIFEST:
            sync(path.parent)
    sync(folder.image_file(name, IMAGE).parent)
