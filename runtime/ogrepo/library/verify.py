# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of an image's bytes, by the same reader that the PCs use.

Every frame's stored and content digest, the file's digest, header, bitmap, seek table and
sizes. Who signed is judged for published images only: an upload has no signature yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oglib.errors import ImageError
from oglib.image.format.manifest import Manifest, PublicKey
from oglib.image.proving.verify import Verified, verify
from oglib.image.reading.opened import open_image
from oglib.image.reading.vouching import Policy
from oglib.progress import Progress
from ogrepo.library.proving.pacing import Pace, PacedSource
from ogrepo.library.store import Published


def verify_files(manifest: Manifest, image: Path, frames: Path, progress: Progress) -> Verified:
    """Prove files that came by upload against their manifest; ``ImageError`` when they fail."""
    return _prove(manifest.to_bytes(), None, (image, frames), (), progress, pace=Pace())


def verify_published(
    image: Published, keys: Sequence[PublicKey], progress: Progress, pace: Pace | None = None
) -> Verified:
    """Prove a published image, its signature included, no faster than ``pace``."""
    if not image.signature:
        raise ImageError(
            f"The image {image.name} is not signed.", hint="Upload it again with a token."
        )
    files = image.image, image.frames
    return _prove(image.manifest_bytes, image.signature, files, keys, progress, pace=pace or Pace())


def _prove(
    manifest_bytes: bytes,
    signature: bytes | None,
    files: tuple[Path, Path],
    keys: Sequence[PublicKey],
    progress: Progress,
    *,
    pace: Pace,
) -> Verified:
    image, frames = files
    if not image.is_file() or not frames.is_file():
        raise ImageError("The image or its frame table is missing.", hint="Capture again.")
    source = PacedSource(image, pace)
    policy = Policy(unsigned_local=signature is None)
    try:
        # The unpacked bitmap stays beside the image: /tmp may be small.
        opened = open_image(
            manifest_bytes, signature, frames, source, keys, policy, scratch=image.parent
        )
    except BaseException:
        source.close()
        raise
    with opened:
        return verify(opened, progress=progress)
