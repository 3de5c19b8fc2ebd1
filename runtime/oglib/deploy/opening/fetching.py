# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files beside an image that is at an address: fetched whole, each within its bound."""

from __future__ import annotations

from pathlib import Path

from oglib import limits
from oglib.connection import Connection
from oglib.image.format.frames import table_bytes
from oglib.image.format.manifest import Manifest
from oglib.transfer.http import download, fetch, unless_absent

# of a file that nothing announced; most images that are not ours have none
_SAID = 2


def fetch_frames(url: str, path: Path, manifest: Manifest, connection: Connection) -> None:
    """The frame table, of exactly the size that the manifest announces; else nothing is fetched."""
    download(
        url,
        path,
        limit_bytes=limits.FRAMES_BYTES,
        expected_size=table_bytes(manifest.frame_count),
        connection=connection,
    )


def signature_of(url: str, connection: Connection) -> bytes | None:
    """The detached signature of something that is there; None where there is none for certain."""
    return unless_absent(
        lambda: fetch(url, limit_bytes=limits.SIGNATURE_BYTES, connection=connection)
    )


def fetch_if_there(url: str, limit_bytes: int, connection: Connection) -> bytes | None:
    """A small file; None where the server says twice that there is none."""
    return unless_absent(
        lambda: fetch(url, limit_bytes=limit_bytes, connection=connection), times=_SAID
    )
