# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving what is published, one name after the other, and remembering what was found.

Images are exchanged while they are read here. So what seems damaged is believed only when its files
are the same after the reading as before it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oglib.errors import ImageError, OgErr, OgError
from oglib.image.format.disk_manifest import DISK_FILE
from oglib.image.format.manifest import PublicKey
from oglib.progress import Progress
from oglib.wording.amounts import human_bytes
from ogrepo.library import disks, foreign, store
from ogrepo.library.folder import Folder, checked_name
from ogrepo.library.proving.pacing import Pace
from ogrepo.library.proving.proofs import Proof, digest_of, due, note, proof_of
from ogrepo.library.stored import stored
from ogrepo.library.verify import verify_published
from ogrepo.shortage import is_shortage, says_absent

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Good:
    """An image that is whole; ``about`` as a program wants it, ``text`` as a person does."""

    text: str
    about: dict[str, object]


class ChangedError(OgError):
    """The image was exchanged whenever it was looked at."""

    code = OgErr.LOCKED


class UnsignedError(ImageError):
    """Nobody signed it, so there is nothing to hold its bytes against."""


def names_of(folder: Folder) -> list[str]:
    """Every name that is called an image, complete or not, of ours, of disks, of others."""
    return [*store.names(folder), *disks.disk_names(folder), *foreign.foreign_names(folder)]


def due_names(folder: Folder, now: float, days: float) -> list[str]:
    """The names that must be proven again, the one that waits longest first."""
    return due(last_proofs(folder), now, days)


def last_proofs(folder: Folder) -> Iterator[tuple[str, Proof | None]]:
    """Every name with what was found of what it shows now."""
    for name in names_of(folder):
        yield name, _last(folder, name)


def _last(folder: Folder, name: str) -> Proof | None:
    try:
        return proof_of(folder, name, manifest_of(folder, name))
    except (OSError, ImageError) as error:
        if is_shortage(error):
            raise
        return None  # looking at it will say what is the matter


def manifest_of(folder: Folder, name: str) -> bytes:
    """The bytes that say what the image is; none where it is not there."""
    path = folder.images.joinpath(*name.split("/"), DISK_FILE)
    if not _is_disk(folder, name):
        suffix = store.RECORD if _is_foreign(folder, name) else store.MANIFEST
        path = folder.image_file(checked_name(name), suffix)
    try:
        return stored(path)
    except OSError as error:
        if not says_absent(error):
            raise
        return b""


def _is_disk(folder: Folder, name: str) -> bool:
    return (folder.images.joinpath(*name.split("/")) / DISK_FILE).exists()


def _is_foreign(folder: Folder, name: str) -> bool:
    return folder.image_file(checked_name(name), store.RECORD).exists()


def prove_name(
    folder: Folder,
    name: str,
    keys: Sequence[PublicKey],
    progress: Progress,
    *,
    pace: Pace,
    now: float,
) -> Good:
    """Prove what this name shows, and note what was found; raises what is wrong with it.

    ``ChangedError``: nothing was found, for it was exchanged meanwhile.
    """
    for _ in range(_TRIES):
        before, manifest = _stamps(folder, name), manifest_of(folder, name)
        try:
            good = _prove(folder, name, keys, progress, pace)
        except OgError as error:
            if is_shortage(error):
                raise
            if before != _stamps(folder, name):
                continue
            _note_bad(folder, name, manifest, error, now)
            raise
        if before == _stamps(folder, name):
            note(folder, name, Proof(digest_of(manifest), int(now)))
            return good
    raise ChangedError(
        f"The image {name} was exchanged each time it was looked at.", hint="Try again later."
    )


def _prove(
    folder: Folder, name: str, keys: Sequence[PublicKey], progress: Progress, pace: Pace
) -> Good:
    if _is_disk(folder, name):
        return _prove_disk(folder, name, keys, progress, pace)
    if _is_foreign(folder, name):
        return _prove_foreign(folder, name, keys, progress, pace)
    image = store.find(folder, checked_name(name), list(keys))
    if not image.signature:
        raise _unsigned(name)
    proof = verify_published(image, keys, progress, pace)
    text = (
        f"version {proof.version}, {proof.frames} frames, "
        f"{human_bytes(proof.content_bytes)} of content, signed by {proof.signed_by}"
    )
    return Good(text, proof.as_dict())


def _prove_disk(
    folder: Folder, name: str, keys: Sequence[PublicKey], progress: Progress, pace: Pace
) -> Good:
    disk = disks.find_disk(folder, checked_name(name), keys)
    if not disk.signature:
        raise _unsigned(name)
    content = disks.verify_disk(disk, keys, progress, pace)
    version = disk.manifest.version
    text = (
        f"version {version}, a disk of {len(disk.manifest.partitions)} partitions, "
        f"{human_bytes(content)} of content, signed by {disk.key_id}"
    )
    return Good(text, {"image": name, "version": version, "content_bytes": content})


def _prove_foreign(
    folder: Folder, name: str, keys: Sequence[PublicKey], progress: Progress, pace: Pace
) -> Good:
    image = foreign.find_foreign(folder, checked_name(name), keys)
    if not image.signature:
        raise _unsigned(name)
    foreign.verify_foreign(image, keys, progress, pace)
    record = image.record
    size = record.image_size_bytes
    text = (
        f"version {record.version}, as {record.tool} made it, {human_bytes(size)}, "
        f"signed by {image.key_id}"
    )
    return Good(text, {"image": name, "version": record.version, "size_bytes": size})


def _unsigned(name: str) -> UnsignedError:
    return UnsignedError(
        f"The image {name} is not signed, so nobody vouches for what it holds.",
        hint="Upload it again with a token.",
    )


def is_damage(error: BaseException) -> bool:
    """Whether it says that bytes are wrong, and not that they could not be looked at."""
    if not isinstance(error, ImageError) or isinstance(error, UnsignedError):
        return False
    cause = error.__cause__
    return not isinstance(cause, OSError) or cause.errno == errno.EIO


def _note_bad(folder: Folder, name: str, manifest: bytes, error: OgError, now: float) -> None:
    if manifest and is_damage(error):
        note(folder, name, Proof(digest_of(manifest), int(now), error.message))


def _stamps(folder: Folder, name: str) -> list[tuple[int, int, int]]:
    """What is another when a file of the image is written, replaced, removed or put there."""
    of_disk = disks.files_of(folder, name) if _is_disk(folder, name) else []
    stamps = []
    for path in (*of_disk, *store.files_of(folder, name), *foreign.foreign_files(folder, name)):
        try:
            status = path.stat()
        except OSError as error:
            if not says_absent(error):
                raise
            stamps.append((0, 0, 0))
        else:
            stamps.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return stamps
