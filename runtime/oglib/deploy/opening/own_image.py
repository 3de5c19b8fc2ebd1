# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of ours whose bytes come over a network: judged by its manifest, then opened.

The signature first: what nobody vouches for costs neither room nor time. The frame table is brought
here whole and proven; the image itself is read from several places.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from oglib.deploy.opening.fetching import fetch_frames, keys_of
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.near import near_in_cache
from oglib.deploy.opening.places import frames_of, image_of
from oglib.deploy.opening.reference import SUFFIX, Reference
from oglib.errors import ImageError
from oglib.image.format.manifest import Manifest
from oglib.image.reading.local import plain_name
from oglib.image.reading.opened import OpenImage, open_vouched
from oglib.image.reading.vouching import vouch
from oglib.settings import Settings
from oglib.transfer.places.source import PlacesSource


def open_ours(
    reference: Reference,
    manifest_bytes: bytes,
    signature: bytes | None,
    settings: Settings,
    *,
    allowed: bool,
    scratch: Path,
    memory: Memory | None = None,
) -> OpenImage:
    """``allowed``: the site takes it from there unsigned. ``memory`` refuses an older one."""
    vouched = vouch(
        manifest_bytes,
        signature,
        keys_of(settings),
        where=reference.where,
        allowed=allowed,
        name=reference.name if reference.path is None or reference.repository else None,
        at_least_version=reference.version,
    )
    manifest = vouched.manifest
    _refuse_renamed(reference, manifest)
    reference.refuse_other_version(manifest)
    said = reference.said
    if memory is not None and vouched.signed_by:
        said += memory.judge(manifest.name, manifest.version, wanted=bool(reference.version))
    near, doubts = near_in_cache(manifest, settings, memory)
    frames, connection = scratch / "frames", settings.connection
    body = image_of(reference, manifest, settings, near)
    source = PlacesSource(body.wanted, body.places, where=body.where, connection=connection)
    try:
        table = frames_of(reference, manifest, settings, near)
        said += fetch_frames(table, frames, reference.where, connection)
        image = open_vouched(vouched, frames, source, scratch=scratch)
    except BaseException:
        source.close()
        raise
    return replace(image, warnings=(*image.warnings, *said, *doubts))


def _refuse_renamed(reference: Reference, manifest: Manifest) -> None:
    if reference.path is None:
        return
    if plain_name(reference.path.name) != manifest.name.rpartition("/")[2] + SUFFIX:
        raise ImageError(
            f"{reference.path} holds the image {manifest.name}.",
            hint="It was renamed or swapped; give its four files their own name back.",
        )
