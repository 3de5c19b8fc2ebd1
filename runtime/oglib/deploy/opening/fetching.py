# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files beside an image that is at an address: fetched whole, each within its bound."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from oglib import limits
from oglib.connection import Connection
from oglib.deploy.opening.places import Sought
from oglib.errors import ImageError
from oglib.image.format.signing import PublicKey, load_public_keys, verify_signature
from oglib.settings import Settings
from oglib.transfer.http import fetch, unless_absent
from oglib.transfer.places.whole import bring

# of a file that nothing announced; most images that are not ours have none
_SAID = 2
_IMAGES, _VERSIONS = "/images/", "/versions/"
_SIGNATURE = re.compile(r"(?:(.+)\.img\.json\.sig(?:\.ant)?|(.+)/disk\.json\.sig)", re.DOTALL)


def fetch_frames(sought: Sought, path: Path, where: str, connection: Connection) -> tuple[str, ...]:
    """The frame table, proven by its digest; what is to be told of the places comes back."""
    return bring(sought.wanted, sought.places, path, where=where, connection=connection)


def keys_of(settings: Settings) -> list[PublicKey]:
    """The keys whose signatures this PC takes."""
    return load_public_keys(settings.keys_dir) if settings.keys_dir.is_dir() else []


def signature_of(
    url: str, signed: bytes, keys: Sequence[PublicKey], connection: Connection
) -> bytes | None:
    """The detached signature of something that is there; None where there is none for certain.

    A name's files are fetched one after the other: a new version may come in between, or a cache
    may hold one of them only. Where the signature is that of another version, the one of this
    version is asked for, which the repository keeps at an address of its own.
    """
    found = unless_absent(
        lambda: fetch(url, limit_bytes=limits.SIGNATURE_BYTES, connection=connection)
    )
    kept = _kept_signature(url, signed)
    if found is None or not kept or not _is_by(found, keys) or _fits(signed, found, keys):
        return found
    other = fetch_if_there(kept, limits.SIGNATURE_BYTES, connection)
    return other if other is not None and _fits(signed, other, keys) else found


def _is_by(signature: bytes, keys: Sequence[PublicKey]) -> bool:
    """Whether one of these keys is said to have signed; a stranger's other files are not asked."""
    return any(key.key_id.encode() in signature.split() for key in keys)


def _fits(signed: bytes, signature: bytes, keys: Sequence[PublicKey]) -> bool:
    try:
        verify_signature(signed, signature, keys)
    except ImageError:
        return False
    return True


def _kept_signature(url: str, signed: bytes) -> str:
    """``BASE/versions/NAME/N.json.sig``; empty where ``url`` is none of a repository's."""
    base, below, asked = url.rpartition(_IMAGES)
    match = _SIGNATURE.fullmatch(asked)
    try:
        version = json.loads(signed)["version"]
    except (ValueError, KeyError, TypeError):
        return ""  # nobody has judged it yet, and whoever does will say so
    if not below or match is None or type(version) is not int or version < 1:
        return ""
    name, disk = (match[1], "") if match[1] else (match[2], ".disk")
    return f"{base}{_VERSIONS}{name}/{version}{disk}.json.sig"


def fetch_if_there(url: str, limit_bytes: int, connection: Connection) -> bytes | None:
    """A small file; None where the server says twice that there is none."""
    return unless_absent(
        lambda: fetch(url, limit_bytes=limit_bytes, connection=connection), times=_SAID
    )
