# SPDX-License-Identifier: GPL-3.0-or-later
"""An image under another name: the same bytes by links, its manifest signed anew.

The name is in the manifest, so a copy is a first version of its own that says whose bytes it has
(``parent``; of a disk, the images in it say it). Nobody reads the bytes for that: their digests are
signed. What nobody of ours signed, or what is known to be damaged, gets no new signature.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from oglib.errors import ImageError, NotFoundError
from oglib.image.format.disk_manifest import DISK_FILE, GAPS_FILE, part_name
from oglib.image.format.manifest import PrivateKey, PublicKey, load_public_keys
from ogrepo.library.disks import PublishedDisk, find_disk
from ogrepo.library.folder import Folder
from ogrepo.library.foreign import PublishedForeign, find_foreign
from ogrepo.library.keep import beside_part
from ogrepo.library.proving.proofs import known_proof
from ogrepo.library.signed import PathOf, sign_record, write_signed
from ogrepo.library.staged_disks import sign_disk, whole_in
from ogrepo.library.store import (
    FRAMES,
    IMAGE,
    OLDER,
    RECORD,
    Published,
    find,
    find_at,
    next_version,
    staged_file,
)


def stage_again(folder: Folder, source: Folder, name: str, new: str, staged: Path) -> int:
    """Prepare what ``name`` is in ``source`` as a version of ``new``; returns its number.

    ``source`` is the repository itself, or an entry of its trash, which is built like one. The
    caller has ``new``'s turn.
    """
    keys, key = load_public_keys(folder.keys), load_key(folder)
    if (source.images.joinpath(*name.split("/")) / DISK_FILE).exists():
        return _stage_disk(folder, find_disk(source, name, keys), new, staged, key=key, keys=keys)
    if source.image_file(name, RECORD).exists():
        return _stage_foreign(folder, find_foreign(source, name, keys), new, staged, key)
    return _stage_image(folder, find(source, name, keys), new, staged, key)


def _stage_image(folder: Folder, image: Published, name: str, staged: Path, key: PrivateKey) -> int:
    _refuse_doubtful(folder, image.name, image.manifest_bytes, image.key_id)
    path_of = partial(staged_file, staged)
    _link_files(folder, image, path_of)
    version = next_version(folder, name)
    manifest = replace(image.manifest, name=name, parent=image.name)
    write_signed(manifest, version, key, path_of)
    return version


def _stage_foreign(
    folder: Folder, image: PublishedForeign, name: str, staged: Path, key: PrivateKey
) -> int:
    if image.image.is_symlink():
        raise ImageError(
            f"The image {image.name} lies in another folder and is served from there.",
            hint="Take it into the repository with `ogrepo import`, under the name that you want.",
        )
    _refuse_doubtful(folder, image.name, image.raw, image.key_id)
    path_of = partial(staged_file, staged)
    kept = folder.bytes_file(image.record.image_blake3)
    os.link(kept if kept.exists() else image.image, path_of(IMAGE))
    _link_older(image.image, path_of)
    version = next_version(folder, name)
    record = replace(image.record, name=name, version=version, key_id=key.public.key_id)
    sign_record(record, key, path_of)
    return version


def _stage_disk(
    folder: Folder,
    disk: PublishedDisk,
    name: str,
    staged: Path,
    *,
    key: PrivateKey,
    keys: Sequence[PublicKey],
) -> int:
    _refuse_doubtful(folder, disk.name, disk.raw, disk.key_id)
    whole, manifests = whole_in(staged), {}
    for part in disk.manifest.images:
        old = part_name(disk.name, part.number)
        image = find_at(disk.path / f"p{part.number}", old, list(keys))
        _link_files(folder, image, partial(beside_part, whole, part.number))
        new = part_name(name, part.number)
        manifests[part.number] = replace(image.manifest, name=new, parent=old)
    if disk.manifest.gaps_bytes:
        # A few bytes, and a file of its own: the disk's folder is the only name that they have.
        shutil.copyfile(disk.path / GAPS_FILE, whole / GAPS_FILE)
    version = next_version(folder, name)
    sign_disk(replace(disk.manifest, name=name), manifests, version, key, whole)
    return version


def load_key(folder: Folder) -> PrivateKey:
    """The key that signs here; refused where it is kept on another machine."""
    if not folder.image_key.exists():
        raise NotFoundError(
            f"{folder.root} has no key to sign with.",
            hint=f"Run `ogrepo keygen {folder.root}`, or do it where the key is.",
        )
    return PrivateKey.load(folder.image_key)


def _refuse_doubtful(folder: Folder, name: str, manifest: bytes, key_id: str) -> None:
    if not key_id:
        raise ImageError(
            f"The image {name} is not signed by a key of this repository.",
            hint="Upload it again with a token.",
        )
    proof = known_proof(folder, name, manifest)
    if proof is not None and proof.why:
        raise ImageError(
            f"The image {name} is damaged: {proof.why}",
            hint="Mend it first; `ogrepo verify` then takes the mark away.",
        )


def _link_files(folder: Folder, image: Published, path_of: PathOf) -> None:
    """Names in ``path_of``'s folder for the bytes, as ``bytes/`` has them where it does."""
    for suffix, digest, shown in (
        (IMAGE, image.manifest.image_blake3, image.image),
        (FRAMES, image.manifest.frames_blake3, image.frames),
    ):
        kept = folder.bytes_file(digest)
        os.link(kept if kept.exists() else shown, path_of(suffix))
    _link_older(image.image, path_of)


def _link_older(image: Path, path_of: PathOf) -> None:
    """What older tools want beside it, as far as it is there."""
    for suffix in OLDER:
        path = image.with_name(image.name + suffix.removeprefix(IMAGE))
        if path.exists():
            os.link(path, path_of(suffix))
