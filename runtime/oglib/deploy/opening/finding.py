# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the version lies that was asked for, told by what lies beside the image; judges nothing."""

from __future__ import annotations

from dataclasses import replace

from oglib import limits
from oglib.deploy.opening.fetching import fetch_if_there
from oglib.deploy.opening.recorded import record_of, version_in
from oglib.deploy.opening.reference import Reference, no_version
from oglib.image.format.manifest import Manifest
from oglib.image.reading.local import own_files
from oglib.settings import Settings
from oglib.transfer.repository import ImageAddresses, addresses_of


def located(reference: Reference, settings: Settings) -> Reference:
    """The same, leading to the files of the version that was asked for.

    Their manifests say which it is, of the one that is shown, the one before, and those that a
    repository keeps behind them; they are judged when it is opened.
    """
    if not reference.version:
        return reference
    known = []
    for one in (reference, reference.aside(), reference.as_kept()):
        found = _version_at(one, settings) if one else None
        if one and found == reference.version:
            return one
        known += [str(found)] if found is not None else []
    raise no_version(reference.name, reference.version, reference.where, known)


def _version_at(reference: Reference, settings: Settings) -> int | None:
    """What the manifest there says, or the record of a foreign image; None: neither is there."""
    raw = manifest_of(reference, settings)
    if raw is not None:
        return Manifest.from_bytes(raw).version
    raw = record_of(reference, settings)
    return None if raw is None else version_in(raw)


def addresses(reference: Reference) -> ImageAddresses:
    """Where the files of an image on a web server are; its bytes are asked by digest first."""
    urls = addresses_of(reference.url)
    if not reference.kept:
        return urls
    return replace(urls, manifest=f"{reference.kept}.json", signature=f"{reference.kept}.json.sig")


def manifest_of(reference: Reference, settings: Settings) -> bytes | None:
    """The manifest at that place, unjudged; None where there is none."""
    if reference.path is None:
        address = addresses(reference).manifest
        return fetch_if_there(address, limits.MANIFEST_BYTES, settings.connection)
    return own_files(reference.path).read_manifest()
