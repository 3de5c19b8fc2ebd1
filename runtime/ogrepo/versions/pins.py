# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions that stay until somebody says otherwise: a small private file for each."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote

from oglib.durable import sync
from oglib.errors import NotFoundError, OgErr
from ogrepo.library.folder import Folder, held, write_whole
from ogrepo.versions.kept import read_kept, split_version

_PATIENCE_S = 10.0


def pin(folder: Folder, name: str, version: int) -> None:
    """Keep this version; it must be one that is kept now."""
    with pins_held(folder):
        read_kept(folder, name, version)
        write_whole(_pin(folder, name, version), b"")


def unpin(folder: Folder, name: str, version: int) -> None:
    """Let the policy decide about it again; ``NotFoundError`` where it was not pinned."""
    try:
        _pin(folder, name, version).unlink()
    except FileNotFoundError:
        pinned = ", ".join(map(str, sorted(pins_of(folder, name))))
        raise NotFoundError(
            f"{name} version {version} is not pinned.",
            hint=f"Pinned of it are: {pinned or 'none'}.",
            code=OgErr.NOTFOUND,
        ) from None
    sync(folder.pins)


def pins_of(folder: Folder, name: str) -> frozenset[int]:
    """The pinned versions of a name."""
    found = (split_version(unquote(path.name)) for path in folder.pins.iterdir()
             if not path.name.startswith("."))  # fmt: skip
    return frozenset(version for pinned, version in found if pinned == name)


def pins_held(folder: Folder) -> AbstractContextManager[None]:
    """Nobody pins what another process just lets go of."""
    return held(folder, "pins", what=f"{folder.pins}", patience_s=_PATIENCE_S)


def _pin(folder: Folder, name: str, version: int) -> Path:
    return folder.record("pins", f"{name}@{version}")
