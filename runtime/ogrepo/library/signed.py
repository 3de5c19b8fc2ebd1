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
from oglib.image.format.manifest import Manifest, PrivateKey, sign
from oglib.progress import Progress
from ogrepo.library.folder import write_whole
from ogrepo.library.store import FRAMES, IMAGE, MANIFEST, OLDER, SIGNATURE
from ogrepo.library.verify import verify_files

# from a suffix like ``.img.frames`` to the file
PathOf = Callable[[str], Path]


def prove(manifest: Manifest, path_of: PathOf, progress: Progress) -> None:
    """Check every digest of a received image, and write what older tools want beside it."""
    image = path_of(IMAGE)
    if not image.exists():
        raise ImageError("The upload holds no image.", hint="Capture again.")
    with ThreadPoolExecutor(1) as beside:
        sums = beside.submit(checksums_of, image)
        verify_files(manifest, image, path_of(FRAMES), progress)
    info = info_line(manifest.filesystem, manifest.device_size_bytes, manifest.source.hostname)
    for suffix, text in zip(OLDER, (*sums.result(), info), strict=True):
        write_whole(path_of(suffix), text.encode())


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
