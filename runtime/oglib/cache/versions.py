# SPDX-License-Identifier: GPL-3.0-or-later
"""The last version that this PC had of each image, remembered in its cache.

A signature says who made an image, not that it is the newest: an old one, signed rightly, can be
given to a PC again. What is remembered here outlives the entries, which are evicted.
"""

from __future__ import annotations

import os
from pathlib import Path

from oglib.cache.folder import Folder, write_whole
from oglib.errors import OgErr, OgError

_MOST_BYTES = 32


def last_version(root: Path, name: str) -> int:
    """The version of ``name`` by the cache mounted at ``root``; 0 where it knows of none."""
    path = Folder(root).version(name)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    try:
        text = os.read(handle, _MOST_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    finally:
        os.close(handle)
    if not (text.isascii() and text.isdigit()):
        raise _unreadable(path, "it holds no number")
    return int(text)


def remember(folder: Folder, name: str, version: int) -> None:
    """``version`` is what this PC has of ``name`` from now on, be it higher or lower."""
    write_whole(folder.version(name), f"{version}\n".encode())


def _unreadable(path: Path, why: str) -> OgError:
    return OgError(
        f"The cache does not say which version this PC had: {path.name}: {why}.",
        hint="Check the cache (`og cache check`), or format it.",
        code=OgErr.CACHE,
    )
