# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a disk on its way into ``images/``: gathered, proven, numbered, signed, and placed.

It is gathered in ``whole/`` of a staged folder; that folder takes the image's name, and the one
before it stays as ``NAME.ant``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from blake3 import blake3

from oglib.durable import sync
from oglib.errors import ImageError
from oglib.image.format.disk_gaps import unpacked_gaps
from oglib.image.format.disk_manifest import (
    DISK_FILE,
    DISK_SIGNATURE,
    GAPS_FILE,
    DiskManifest,
    part_name,
)
from oglib.image.format.manifest import Manifest, PrivateKey, sign
from oglib.progress import Progress
from ogrepo.library.disks import disk_path, gaps_of
from ogrepo.library.folder import Folder, hand_over, make_shown, write_whole
from ogrepo.library.keep import beside_part
from ogrepo.library.signed import prove, received_manifest, write_signed
from ogrepo.library.store import ASIDE, FRAMES, IMAGE, PLACED, next_version

DISK, GAPS = "disk", "gaps"  # what an upload calls them
PART_KIND = re.compile(r"(p[1-9][0-9]{0,2})-(image|frames|manifest)", re.ASCII)
_WHOLE = "whole"


def staged_file(staged: Path, kind: str) -> Path | None:
    """Where an upload gathers a file of a disk; None for a file of a single image."""
    found = PART_KIND.fullmatch(kind)
    if found is None and kind not in (DISK, GAPS):
        return None
    if kind == DISK or (found and found[2] == "manifest"):
        return staged / kind
    whole = whole_in(staged)
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
    folder: Folder, name: str, staged: Path, key: PrivateKey | None, progress: Progress
) -> int:
    """Prove, number and sign a received disk; its version. ``ImageError`` where it is damaged."""
    disk = DiskManifest.from_bytes((staged / DISK).read_bytes())
    if disk.name != name:
        raise ImageError(
            f"The upload's disk is {disk.name}, its token for {name}.",
            hint="Get a token for the name under which you capture.",
        )
    refuse_folder(folder, name)
    whole = whole_in(staged)
    unpacked_gaps(disk, gaps_of(whole))
    manifests = {}
    for part in disk.images:
        received = staged / f"p{part.number}-manifest"
        manifest = received_manifest(received, part_name(name, part.number))
        if blake3(received.read_bytes()).hexdigest() != part.manifest_blake3:
            raise ImageError(f"The upload's image {manifest.name} belongs to another disk.")
        prove(manifest, partial(beside_part, whole, part.number), progress)
        manifests[part.number] = manifest
    version = next_version(folder, name)
    sign_disk(disk, manifests, version, key, whole)
    return version


def refuse_folder(folder: Folder, name: str) -> None:
    """A disk is not published over a folder of other images."""
    there = disk_path(folder, name)
    if there.exists() and not (there / DISK_FILE).exists():
        raise ImageError(
            f"{name} is a folder of other images in this repository.", hint="Choose another name."
        )


def whole_in(staged: Path) -> Path:
    """The folder in ``staged`` that will be the disk's, made where it is not there."""
    whole = staged / _WHOLE
    with suppress(FileExistsError):
        whole.mkdir(mode=0o755)
        hand_over(whole, staged)
    return whole


def sign_disk(
    disk: DiskManifest,
    manifests: Mapping[int, Manifest],
    version: int,
    key: PrivateKey | None,
    whole: Path,
) -> None:
    """Give the proven files of a disk in ``whole`` their version and signatures.

    ``manifests``: those of its images, by the number of the partition; ``key`` None: it is signed
    elsewhere.
    """
    rows = []
    for part in disk.partitions:
        if part.is_image:
            path_of = partial(beside_part, whole, part.number)
            signed = write_signed(manifests[part.number], version, key, path_of)
            part = replace(part, manifest_blake3=blake3(signed).hexdigest())  # noqa: PLW2901
        rows.append(part)
    key_id = key.public.key_id if key else ""
    raw = replace(disk, partitions=tuple(rows), version=version, key_id=key_id).to_bytes()
    DiskManifest.from_bytes(raw)
    if disk.gaps_bytes:
        (whole / GAPS_FILE).chmod(0o644)
        sync(whole / GAPS_FILE)
    if key is not None:
        write_whole(whole / DISK_SIGNATURE, sign(raw, key))
    write_whole(whole / DISK_FILE, raw)
    _keep_only(whole, disk)
    sync(whole)


def _keep_only(whole: Path, disk: DiskManifest) -> None:
    """What the disk does not name is not published with it."""
    named = {DISK_FILE, DISK_SIGNATURE, *([GAPS_FILE] if disk.gaps_bytes else [])}
    named |= {f"p{part.number}{suffix}" for part in disk.images for suffix in PLACED}
    for path in whole.iterdir():
        if path.name not in named:
            path.unlink()


def place_disk(folder: Folder, name: str, staged: Path) -> None:
    """Show the folder in ``staged``, unless an earlier try has; ``publishing`` calls this."""
    whole, there = staged / _WHOLE, disk_path(folder, name)
    if not whole.exists():
        return
    aside = there.with_name(there.name + ASIDE)
    make_shown(there.parent, folder.images)
    if there.exists():
        shutil.rmtree(aside, ignore_errors=True)
        there.replace(aside)
    whole.replace(there)
    sync(there.parent)
    sync(staged)
