# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bytes of an image of ours are asked for, in which order: the one place to say so.

The manifest comes from where the image was named; its bytes from whoever is nearest: first what
the caller knows to be near (a file in the cache), then the share where images come by one, then
the site's mirrors, and at last where the image itself is, by its digest, or by its name where the
server knows no digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oglib import limits
from oglib.deploy.opening.reference import Reference
from oglib.errors import ImageError, UsageError
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.format.frames import table_bytes
from oglib.image.format.manifest import Manifest
from oglib.image.reading.local import own_files
from oglib.settings import Settings
from oglib.transfer.address import parse_address
from oglib.transfer.places.place import File, Place, Wanted, Web, mirrored
from oglib.transfer.repository import addresses_of


@dataclass(frozen=True, slots=True)
class Sought:
    """Bytes, the places that are asked for them, and ``where`` a person thinks that they are."""

    wanted: Wanted
    places: tuple[Place, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Near:
    """Places on this PC that may hold the bytes of an image and of its frame table."""

    image: tuple[Place, ...] = ()
    frames: tuple[Place, ...] = ()


NOTHING_NEAR = Near()


def image_of(
    reference: Reference, manifest: Manifest, settings: Settings, near: Near = NOTHING_NEAR
) -> Sought:
    """The stored frames of an image at an address, or on a share."""
    wanted = Wanted(manifest.image_blake3, manifest.image_size_bytes, f"the image {manifest.name}")
    if reference.path is not None:
        return _on_share(reference, own_files(reference.path).image, wanted, settings, near.image)
    own = addresses_of(reference.url).image
    return Sought(wanted, (*near.image, *_of_server(reference, own, wanted.digest, settings)), own)


def recorded_of(reference: Reference, record: ForeignRecord, settings: Settings) -> Sought:
    """The bytes of a foreign image that the repository has signed."""
    wanted = Wanted(record.image_blake3, record.image_size_bytes, f"the image {record.name}")
    if reference.path is not None:
        return _on_share(reference, reference.path, wanted, settings, ())
    own = str(parse_address(reference.url))
    return Sought(wanted, _of_server(reference, own, wanted.digest, settings), own)


def frames_of(
    reference: Reference, manifest: Manifest, settings: Settings, near: Near = NOTHING_NEAR
) -> Sought:
    """Its frame table, of exactly the size that the manifest announces."""
    size = table_bytes(manifest.frame_count)
    if size > limits.FRAMES_BYTES:
        raise ImageError(f"The frame table of {manifest.name} would have {size} bytes.")
    wanted = Wanted(manifest.frames_blake3, size, f"the frame table of {manifest.name}")
    if reference.path is not None:
        return _on_share(reference, own_files(reference.path).frames, wanted, settings, near.frames)
    own = addresses_of(reference.url).frames
    return Sought(wanted, (*near.frames, *_of_server(reference, own, wanted.digest, settings)), own)


def _on_share(
    reference: Reference, path: Path, wanted: Wanted, settings: Settings, near: tuple[Place, ...]
) -> Sought:
    """The file itself; where its share is the repository's, by digest from that and mirrors too."""
    others: tuple[Place, ...] = ()
    if reference.repository:
        server = Web(reference.repository)
        others = (*mirrored(settings.mirrors, wanted.digest), server)
    return Sought(wanted, (*near, File(path, far=True), *others), str(path))


def bytes_at(reference: Reference, digest: str) -> str:
    """Where the repository that this is in has the bytes of this digest."""
    return f"{reference.base}/bytes/{digest}"


def _of_server(
    reference: Reference, own: str, digest: str, settings: Settings
) -> tuple[Place, ...]:
    """The mirrors of a repository, where ``own`` is an address of that, and the server itself.

    A version that is not shown has its bytes under no name.
    """
    base = reference.base
    server = Web(base, bytes_at(reference, digest) if reference.kept else own)
    mirrors = mirrored(settings.mirrors, digest) if _is_ours(base, settings) else ()
    return (*mirrors, server)


def _is_ours(base: str, settings: Settings) -> bool:
    """Whether ``base`` is the address of the repository that this PC was told of."""
    if not settings.repository or not base:
        return False
    try:
        ours = parse_address(settings.repository_url())
    except UsageError:
        return False
    return str(parse_address(base)).rstrip("/") == str(ours).rstrip("/")
