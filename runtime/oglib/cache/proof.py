# SPDX-License-Identifier: GPL-3.0-or-later
"""What is hashed of an entry, and the one proof that needs no image format: ``.full.sum``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from blake3 import blake3

from oglib.cache.model import Proof, StoredFile
from oglib.errors import ImageError, OgErr, UsageError

_STEP_BYTES = 4 << 20
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


def digests_of(folder: Path, names: list[str]) -> dict[str, StoredFile]:
    """Size and digest of every file in ``names`` of ``folder``, and below the folders in it."""
    found = {}
    for name in sorted(names):
        path = folder / name
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UsageError(f"{path} is neither a file nor a folder; the cache stores no links.")
        if path.is_dir():
            below = digests_of(path, os.listdir(path))  # noqa: PTH208 - names alone
            found.update({f"{name}/{part}": facts for part, facts in below.items()})
        else:
            found[name] = _digest_of(path)
    return found


def _digest_of(path: Path) -> StoredFile:
    hasher, size = blake3(), 0
    with path.open("rb") as file:
        while piece := file.read(_STEP_BYTES):
            hasher.update(piece)
            size += len(piece)
    return StoredFile(size, hasher.hexdigest())


def prove_by_sum(head: Path, _digests: Mapping[str, StoredFile]) -> Proof:
    """``NAME.img.full.sum`` is the MD5 of the whole image; without one nothing is proven."""
    beside = head.with_name(f"{head.name}.full.sum")
    if not beside.is_file() or not head.is_file():
        return Proof.UNPROVEN
    with beside.open("rb") as file:
        words = file.read(1024).decode("ascii", "replace").split()
    if not words or not _MD5.fullmatch(words[0]):
        raise ImageError(f"{beside.name} is not the MD5 of an image.", code=OgErr.IMAGEFILE)
    with head.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    if md5.hexdigest() != words[0]:
        raise ImageError(
            f"{head.name} is not the image that {beside.name} was made of.",
            hint="Fetch or copy the image and its sum again.",
        )
    return Proof.SUM
