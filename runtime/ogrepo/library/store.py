# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published: list it, and bring a new version in without ever showing half of one.

The manifest is what makes an image visible. It goes first when an old version is put aside and
comes last when a new one is placed, each behind a flush of the folder. A publication that was
cut is finished by doing it again: every step sees whether it was done.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from oglib import limits
from oglib.durable import sync
from oglib.errors import ImageError, NotFoundError, OgError
from oglib.image.format import foreign_record
from oglib.image.format.disk_manifest import DISK_FILE
from oglib.image.format.manifest import Manifest, PublicKey, load_public_keys, verify_signature
from ogrepo.library.folder import Folder, checked_name, make_shown, walk, write_whole
from ogrepo.library.stored import stored
from ogrepo.shortage import is_shortage, says_absent

IMAGE = ".img"
FRAMES = ".img.frames"
MANIFEST = ".img.json"
SIGNATURE = ".img.json.sig"
OLDER = (".img.sum", ".img.full.sum", ".img.info")
PLACED = (IMAGE, FRAMES, *OLDER, SIGNATURE, MANIFEST)  # in this order, the manifest last
# of an image of another program, as it is: its record is what a manifest is to one of ours
RECORD, RECORD_SIGNATURE = IMAGE + foreign_record.RECORD, IMAGE + foreign_record.RECORD_SIGNATURE
FOREIGN = (IMAGE, *OLDER, RECORD_SIGNATURE, RECORD)
_SHOW = (MANIFEST, RECORD)
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
        raw = stored(manifest_path, limits.MANIFEST_BYTES)
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
        signature = stored(beside(SIGNATURE))
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
    version = last_version(folder, name) + 1
    write_whole(folder.record("versions", name), f"{version}\n".encode())
    return version


def last_version(folder: Folder, name: str) -> int:
    """The highest number that this name ever had here, also while it was not there; 0: none."""
    record = folder.record("versions", name)
    known = [0]
    with contextlib.suppress(FileNotFoundError):
        known.append(int(record.read_text(encoding="ascii")))
    for suffix in (MANIFEST, MANIFEST + ASIDE):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, OgError):
            raw = stored(folder.image_file(name, suffix))
            known.append(Manifest.from_bytes(raw).version)
    known += kept_numbers(folder, name)
    return max(known)


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
    kinds = (kind for kind in (PLACED, FOREIGN) if staged_file(staged, kind[-1]).exists())
    kind = next(kinds, None)
    if kind is None:
        return  # placed already: what shows it is the last to leave
    there = folder.image_file(name, IMAGE).parent
    make_shown(there, folder.images)
    _put_aside(folder, name, staged, kind)
    for suffix in kind:
        if suffix in _SHOW:
            sync(there)
        waiting = staged_file(staged, suffix)
        if os.path.lexists(waiting):
            waiting.replace(folder.image_file(name, suffix))
    sync(there)


def _put_aside(folder: Folder, name: str, staged: Path, kind: tuple[str, ...]) -> None:
    """The version that is shown becomes the one before.

    An adopted one does not: its file is another's, who has written a new version into it.
    """
    current = (*_SHOW, SIGNATURE, RECORD_SIGNATURE, _TORRENT, *OLDER, FRAMES, IMAGE)
    image = folder.image_file(name, IMAGE)
    adopted = image.is_symlink()  # the last to go, so that every try knows
    if any(folder.image_file(name, suffix).exists() for suffix in _SHOW):
        for suffix in current:
            folder.image_file(name, suffix + ASIDE).unlink(missing_ok=True)
    for suffix in current:
        path = folder.image_file(name, suffix)
        # A file that is no longer staged was placed by an earlier try: it is the new one.
        placed = suffix in kind and not os.path.lexists(staged_file(staged, suffix))
        if os.path.lexists(path) and not placed:
            if adopted:
                path.unlink()
            else:
                path.replace(folder.image_file(name, suffix + ASIDE))
        if suffix in _SHOW:
            sync(path.parent)
    sync(image.parent)
