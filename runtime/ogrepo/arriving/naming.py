# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files that others chose, as names of images here; and which files are not finished.

Pure. OpenGnsys takes any name; ours have letters, digits, dots, dashes and underscores, because
they are in addresses, on command lines and in menus.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Container
from itertools import count

from blake3 import blake3

from oglib import limits
from oglib.errors import UsageError
from ogrepo.library.folder import checked_name

_IMAGE = ".img"
_PACKED = (".gz", ".lzo", ".zst", ".lz4", ".xz", ".bz2", ".lz", ".uncomp")
_VOLUME = re.compile(r"\.(?:[a-z]{2,4}|[0-9]{2,3})", re.ASCII)
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_DASHES = re.compile(r"-{2,}|-(?=\.)|(?<=\.)-|\.{2,}")
_MOST_PART = 100  # of one part of a name: companions and a number are put behind it
# What copying programs and OpenGnsys' daemons call a file that is under way, or keep beside one.
_UNDER_WAY = (
    ".part", ".filepart", ".partial", ".crdownload", ".tmp", ".temp", ".swp",
    ".bf", ".bfog", ".lock", ".!ut", ".aria2",
)  # fmt: skip
_BESIDE = (
    ".sum", ".full.sum", ".info", ".torrent", ".json", ".sig", ".frames", ".size", ".checked",
    ".mbr", ".gpt", ".ant", ".diff", ".md5", ".sha1", ".sha256", ".txt", ".log",
)  # fmt: skip


def is_under_way(name: str) -> bool:
    """Whether a file of this name is one that a program is still writing, or a mark of that.

    rsync calls its own ``.NAME.XXXXXX`` until it is whole, so of what begins with a dot a file
    counts alone that ends as an image does.
    """
    low = name.lower()
    hidden = low.startswith(".") and not low.endswith(_IMAGE)
    return low.endswith(_UNDER_WAY) or low.endswith("~") or hidden


def is_beside(name: str) -> bool:
    """Whether this is what lies beside an image, and no image itself."""
    return name.lower().endswith(_BESIDE)


def bare(name: str) -> str:
    """A file's name without what says that it is an image, packed, or the first of its volumes."""
    stem = _without_volume(name)
    for _ in range(2):
        low = stem.lower()
        end = next((end for end in (*_PACKED, _IMAGE, ".dsk") if low.endswith(end)), "")
        stem = stem[: len(stem) - len(end)]
        if end in (_IMAGE, ".dsk"):
            break
    return stem


def _without_volume(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    known = any(end in stem.lower() for end in (_IMAGE, *_PACKED))
    return (
        stem
        if dot
        and known
        and _VOLUME.fullmatch(name[len(stem) :])
        and (not name.lower().endswith((*_PACKED, _IMAGE)))
        else name
    )


def alias(name: str) -> str:
    """``name`` (folders and all) where it can be an image's, else what is nearest to it."""
    try:
        return checked_name(name)
    except UsageError:
        pass
    parts = [_fit(part) for part in name.split("/") if part not in ("", ".", "..")]
    found = "/".join(parts)[: limits.NAME_CHARACTERS].rstrip("/-.") or "image"
    try:
        return checked_name(found)
    except UsageError:
        # one that looks like a file of the repository's own, however it is mended
        return f"image-{blake3(os.fsencode(name)).hexdigest()[:12]}"


def _fit(part: str) -> str:
    plain = unicodedata.normalize("NFKD", part)
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    plain = _UNFIT.sub("-", plain)
    while (once := _DASHES.sub(lambda found: found[0][0], plain)) != plain:
        plain = once
    plain = re.sub(r"\.img", "-img", plain, flags=re.IGNORECASE)
    return plain.strip("-._")[:_MOST_PART].rstrip("-._") or "image"


def free_name(name: str, taken: Container[str]) -> str:
    """``name``, or the first of ``name-2``, ``name-3`` … that is not ``taken``."""
    if name not in taken:
        return name
    return next(one for number in count(2) if (one := f"{name}-{number}") not in taken)
