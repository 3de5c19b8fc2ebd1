# SPDX-License-Identifier: GPL-3.0-or-later
"""From the received files of one image to its published form: proven, numbered, signed.

Used for an image alone and for each image of a disk; where its files are is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from oglib.durable import sync
from oglib.errors import ImageError
from oglib.image.format.companions import checksums_of, info_line
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.manifest import Manifest, PrivateKey, sign
from oglib.progress import Progress
from ogrepo.library.folder import write_whole
from ogrepo.library.store import (
    FRAMES,
    IMAGE,
    MANIFEST,
    OLDER,
    RECORD,
    RECORD_SIGNATURE,
    SIGNATURE,
)
from ogrepo.library.verify import verify_files

# from a suffix like ``.img.frames`` to the file
PathOf = Callable[[str], Path]


def prove(manifest: Manifest, path_of: PathOf, progress: Progress) -> None:
    """Check every digest of a received image, and write what older tools want beside it."""
    image = path_of(IMAGE)
    if not image.exists():
        raise ImageError("The upload holds no image.", hint="Capture again.")
    with ThreadPoolExecutor(1) as beside:
        companions = beside.submit(companions_of, manifest, image)
        verify_files(manifest, image, path_of(FRAMES), progress)
    for suffix, text in zip(OLDER, companions.result(), strict=True):
        write_whole(path_of(suffix), text.encode())


def companions_of(manifest: Manifest, image: Path) -> tuple[str, str, str]:
    """What older tools want beside an image, in the order of ``OLDER``; reads all of it."""
    info = info_line(manifest.filesystem, manifest.device_size_bytes, manifest.source.hostname)
    return (*checksums_of(image), info)


def write_signed(
    manifest: Manifest, version: int, key: PrivateKey | None, path_of: PathOf
) -> bytes:
    """Give a proven image its version and signature; returns the manifest's bytes.

    ``key`` None: it is signed elsewhere.
    """
    key_id = key.public.key_id if key else ""
    signed = replace(manifest, version=version, key_id=key_id).to_bytes()
    Manifest.from_bytes(signed)
    if key is not None:
        write_whole(path_of(SIGNATURE), sign(signed, key))
    write_whole(path_of(MANIFEST), signed)
    for suffix in (IMAGE, FRAMES):
        path_of(suffix).chmod(0o644)
        sync(path_of(suffix))
    return signed


def sign_record(record: ForeignRecord, key: PrivateKey, path_of: PathOf) -> None:
    """Its signature, and then the record itself, which comes last."""
    raw = record.to_bytes()
    ForeignRecord.from_bytes(raw)
    write_whole(path_of(RECORD_SIGNATURE), sign(raw, key))
    write_whole(path_of(RECORD), raw)


def received_manifest(path: Path, name: str) -> Manifest:
    """The manifest that a PC sent; ``ImageError`` unless it is that of ``name``."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ImageError("The upload holds no manifest.", hint="Capture again.") from None
    manifest = Manifest.from_bytes(raw)
    if manifest.name != name:
        raise ImageError(
            f"The upload's manifest is for {manifest.name}, its token for {name}.",
            hint="Get a token for the name under which you capture.",
        )
    return manifest
