# SPDX-License-Identifier: GPL-3.0-or-later
"""What caches may do with a file: keep it for ever, or ask each time whether it is the same.

What lies in ``bytes/`` and ``versions/`` is never another file under its name; what lies in
``images/`` is, with each version.
"""

from __future__ import annotations

import os

from blake3 import blake3

from oglib import limits
from oglib.errors import NotFoundError
from ogrepo.library.folder import BYTES, VERSIONS, is_digest
from ogrepo.library.store import IMAGE
from ogrepo.refusal import Refusal
from ogrepo.serving.files import Heading, OpenFile, kind_of

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"


def check_listed(asked: str) -> None:
    """The bytes of all versions are not listed: they may be a million."""
    if asked.strip("/") == BYTES:
        raise Refusal(
            403,
            "What lies in bytes/ is not listed.",
            hint="The manifest of an image names the digests of its bytes.",
        )


def heading_for(asked: str, leaf: str, file: OpenFile, status: os.stat_result) -> Heading:
    """How the file at ``asked``, a path below the repository, is answered. May block shortly.

    ``leaf``: its own name, to which a link may have led.
    """
    room, _, name = asked.partition("/")
    if room == BYTES:
        if not is_digest(name):
            raise NotFoundError("There is no such file here.")
        return Heading(status, kind_of(""), tag=name, cached=_FOR_EVER)
    if room == VERSIONS and status.st_size <= limits.DISK_GAPS_BYTES:
        raw = os.pread(file.descriptor, status.st_size, 0)
        tag = blake3(raw).hexdigest()
        return Heading(status, kind_of(leaf), tag=tag, cached=_FOR_EVER)
    is_image = IMAGE in leaf and not leaf.endswith(".json")
    kind = kind_of("" if is_image else leaf)
    return Heading(status, kind, cached=_ASK_FIRST if room == "images" else "")
