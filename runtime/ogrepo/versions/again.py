# SPDX-License-Identifier: GPL-3.0-or-later
"""A kept version is published again: the same bytes, by links, under a new number and signature.

PCs refuse a version older than one that they had, so going back is a step forward. What it is the
content of stands in the comment of its manifest.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from blake3 import blake3

from oglib.errors import ImageError, OgErr, OgError
from oglib.image.format.disk_manifest import GAPS_FILE, DiskManifest, part_name
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.manifest import Manifest, PrivateKey
from oglib.progress import Phase, Progress
from ogrepo.library.disks import refuse_inside
from ogrepo.library.folder import Folder, checked_name, write_whole
from ogrepo.library.keep import DISK_RECORDS, PathOf, beside_part, record_suffix
from ogrepo.library.publishing import publish, stage, turn
from ogrepo.library.signed import companions_of, sign_record, write_signed
from ogrepo.library.signingkey import signing_key
from ogrepo.library.staged_disks import refuse_folder, sign_disk, whole_in
from ogrepo.library.store import FRAMES, IMAGE, OLDER, next_version, staged_file
from ogrepo.library.waiting import let_wait
from ogrepo.versions.kept import Kept, in_images

_NEW_LINE = "\n"
_STEP_BYTES = 4 << 20
_SAID = re.compile(r"\n?Version [0-9]+(?: of [A-Za-z0-9._/-]+)?(?: again)?\.\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class PublishedAgain:
    """``waits``: for its signature, because the key is on another machine; it is not shown yet."""

    version: int
    waits: bool


def publish_again(folder: Folder, kept: Kept, name: str, progress: Progress) -> PublishedAgain:
    """Publish the content of a kept version as the next one of ``name``.

    Every byte of it is compared with its digest first: nothing damaged is shown again.
    """
    _refuse(folder, kept, checked_name(name))
    key = _key(folder, kept)
    prove_bytes(folder, kept, progress)
    with turn(folder, name), stage(folder) as staged:
        _refuse(folder, kept, name)
        version = next_version(folder, name)
        stage_again(folder, kept, name, version, staged, key=key)
        if key is None:
            let_wait(folder, name, version, staged)
        else:
            publish(folder, name, staged)
    return PublishedAgain(version, waits=key is None)


def _key(folder: Folder, kept: Kept) -> PrivateKey | None:
    key = signing_key(folder)
    if key is None and isinstance(kept.about, ForeignRecord):
        raise OgError(
            f"{kept.name} is the image of another program, and the key that signs such a one is "
            "not on this machine.",
            hint="Import it where the key is.",
        )
    return key


def stage_again(
    source: Folder, kept: Kept, name: str, version: int, staged: Path, *, key: PrivateKey | None
) -> None:
    """Prepare a version that is kept in ``source`` as another one, by links.

    It is newly signed; ``key`` None: elsewhere.
    """
    _Again(source, kept, name, version, key).fill(staged)


def prove_bytes(folder: Folder, kept: Kept, progress: Progress) -> None:
    """Read all bytes of a version; ``ImageError`` unless they are those that were published."""
    sizes = sizes_of(folder, kept)
    with progress.phase("verify", sum(sizes.values())) as phase:
        for digest in sizes:
            if _digest_of(folder.bytes_file(digest), phase) != digest:
                raise ImageError(
                    f"{folder.bytes_file(digest)} is damaged, and with it version "
                    f"{kept.version} of {kept.name}.",
                    hint="Choose another version: `ogrepo versions` shows what is kept.",
                )


def sizes_of(folder: Folder, kept: Kept) -> dict[str, int]:
    """The files that a version needs, by digest; ``ImageError`` where one is not there."""
    sizes = {}
    for digest in sorted(kept.digests):
        try:
            sizes[digest] = folder.bytes_file(digest).stat().st_size
        except FileNotFoundError:
            raise ImageError(
                f"The bytes of {kept.name} version {kept.version} are not in this repository.",
                hint="An adopted image has them elsewhere; others can be had from a backup.",
                code=OgErr.NOTFOUND,
            ) from None
    return sizes


def _digest_of(path: Path, phase: Phase) -> str:
    hasher, room = blake3(), memoryview(bytearray(_STEP_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(room):
            hasher.update(room[:count])
            phase.advance(count)
    return hasher.hexdigest()


def _refuse(folder: Folder, kept: Kept, name: str) -> None:
    """Raise where the name stands for something of another kind."""
    refuse_inside(folder, name)
    is_disk = isinstance(kept.about, DiskManifest)
    if is_disk:
        refuse_folder(folder, name)
    shown = in_images(folder, name)
    if shown is not None and isinstance(shown, DiskManifest) != is_disk:
        kinds = ("a partition", "a disk")
        raise OgError(
            f"{name} is the image of {kinds[not is_disk]} now, and version {kept.version} of "
            f"{kept.name} is that of {kinds[is_disk]}.",
            hint="Delete what is shown under the name first.",
            code=OgErr.LOCKED,
        )


@dataclass(frozen=True, slots=True)
class _Again:
    """A kept version that becomes ``version`` of ``name``."""

    folder: Folder
    kept: Kept
    name: str
    version: int
    key: PrivateKey | None

    def fill(self, staged: Path) -> None:
        """Its files by links, and new manifests with their signatures."""
        about = self.kept.about
        if isinstance(about, DiskManifest):
            self._fill_disk(about, whole_in(staged))
            return
        path_of = partial(staged_file, staged)
        self._link(about, path_of)
        if isinstance(about, Manifest):
            write_signed(self._renamed(about, self.name), self.version, self.key, path_of)
        elif self.key is not None:
            key_id = self.key.public.key_id
            record = replace(about, name=self.name, version=self.version, key_id=key_id)
            sign_record(record, self.key, path_of)

    def _fill_disk(self, disk: DiskManifest, whole: Path) -> None:
        manifests = {}
        for number, manifest in self.kept.parts.items():
            self._link(manifest, partial(beside_part, whole, number), number)
            manifests[number] = self._renamed(manifest, part_name(self.name, number))
        if disk.gaps_bytes:
            gaps = self._record(DISK_RECORDS[GAPS_FILE])
            os.link(gaps, whole / GAPS_FILE)
        named = replace(disk, name=self.name, comment=self._comment(disk.comment))
        sign_disk(named, manifests, self.version, self.key, whole)

    def _link(self, about: Manifest | ForeignRecord, path_of: PathOf, part: int = 0) -> None:
        os.link(self.folder.bytes_file(about.image_blake3), path_of(IMAGE))
        if isinstance(about, Manifest):
            os.link(self.folder.bytes_file(about.frames_blake3), path_of(FRAMES))
        missing = []
        for suffix in OLDER:
            try:
                os.link(self._record(record_suffix(suffix, part)), path_of(suffix))
            except FileNotFoundError:
                missing.append(suffix)
        if missing and isinstance(about, Manifest):
            texts = companions_of(about, path_of(IMAGE))
            for suffix in missing:
                write_whole(path_of(suffix), texts[OLDER.index(suffix)].encode())

    def _record(self, suffix: str) -> Path:
        return self.folder.version_file(self.kept.name, self.kept.version, suffix)

    def _renamed(self, manifest: Manifest, name: str) -> Manifest:
        parent = manifest.parent if name == manifest.name else manifest.name
        return replace(manifest, name=name, parent=parent, comment=self._comment(manifest.comment))

    def _comment(self, comment: str) -> str:
        """What its maker said, and of what it is the content."""
        of = " again" if self.name == self.kept.name else f" of {self.kept.name}"
        said = _SAID.sub("", comment)
        return f"{said}{_NEW_LINE if said else ''}Version {self.kept.version}{of}."
