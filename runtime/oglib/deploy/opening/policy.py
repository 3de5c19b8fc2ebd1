# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the site takes an image that nobody signed, by where it comes from.

A file on this PC's own disks restores with a warning. What comes over the network, by address
or from a mounted share, needs an entry in ``allow_unsigned`` of the site's policy: the
beginning of an address (``http://old/images/``, whole parts of it), a folder
(``/opt/opengnsys/images``), a share (``//old/ogimages``, ``old:/opt/opengnsys/images``) or
``REPO``, the repository's mounted share.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from oglib.errors import ImageError, UsageError
from oglib.filesystem.share import NETWORK, Place, place_of
from oglib.image.reading.vouching import Policy, how_to_vouch
from oglib.settings import Settings
from oglib.transfer.address import parse_address

_REPOSITORY_WORD = "REPO"
_ENCODED_SIGN = re.compile(r"%(2f|5c|25|00)", re.IGNORECASE)
_ODD = re.compile(r"[\\;?#%\ufffd]")


def repository_folder() -> Path:
    """Where scripts expect the repository's share."""
    return Path(os.environ.get("OGIMG") or "/opt/opengnsys/images")


@dataclass(frozen=True, slots=True)
class Share:
    """Where a file of a mounted share is: ``source`` as it was mounted, and the rest of it.

    ``real``: the same on this PC, without links.
    """

    source: str
    below: PurePosixPath
    is_repository: bool
    real: Path = field(compare=False, default=Path("/"))


def share_of(path: Path) -> Share | None:
    """The mounted share that ``path`` is on; None for a file of this PC's own disks."""
    return share_at(place_of(path), repository_folder().resolve())


def share_at(place: Place, repository: Path) -> Share | None:
    """``share_of`` for who knows where it lies; ``repository``: the repository's folder."""
    mount, real = place.mount, place.real
    if mount is None:
        return None
    is_repository = mount.point == repository
    if not is_repository and mount.kind not in NETWORK:
        return None
    # A share may be mounted at a folder of itself, and the repository below another mount point.
    below = PurePosixPath(real.relative_to(mount.point))
    inside = is_repository or real.is_relative_to(repository)
    return Share(str(mount.source), below, inside, real)


def policy_on(share: Share | None, settings: Settings) -> Policy:
    """What is taken unsigned from a share; None: from this PC's own disks."""
    allowed = share is None or _allowed_share(share, settings)
    return Policy(unsigned_local=allowed, unsigned_remote=False)


def _allowed_share(share: Share, settings: Settings) -> bool:
    whole = PurePosixPath(share.source) / share.below
    return any(
        share.is_repository
        if entry == _REPOSITORY_WORD
        else covers(entry, str(share.real)) or covers(entry, str(whole))
        for entry in settings.allow_unsigned
    )


def policy_for_url(url: str, settings: Settings) -> Policy:
    """What is taken unsigned from this address."""
    allowed = any(covers_url(entry, url) for entry in settings.allow_unsigned)
    return Policy(unsigned_remote=allowed)


def covers_url(entry: str, url: str) -> bool:
    """Whether the address ``url`` is that of ``entry`` or below it, whatever a server reads in it.

    Both are judged decoded. What servers read in different ways is below no entry: a part that
    climbs, an encoded slash or percent sign, a backslash, a parameter (``;``), a query.
    """
    if "://" not in entry:
        return False  # a folder, a share, or a word
    try:
        allowed, asked = parse_address(entry), parse_address(url)
    except UsageError:
        return False
    same = (
        allowed.scheme == asked.scheme
        and allowed.host.lower() == asked.host.lower()
        and allowed.port == asked.port
    )
    below = _plain_path(asked.target)
    return same and below is not None and covers(unquote(allowed.target), below)


def _plain_path(target: str) -> str | None:
    """The path of an address as every server reads it; None where they may differ."""
    if _ENCODED_SIGN.search(target):
        return None
    path = unquote(target, errors="replace")
    parts = path.split("/")
    odd = _ODD.search(path) or not path.isprintable() or "." in parts or ".." in parts
    return None if odd else path


def covers(entry: str, place: str) -> bool:
    """Whether ``place`` is ``entry`` or below it; one that climbs (``..``) never is."""
    if ".." in place.split("/"):
        return False
    return place == entry or place.startswith(entry if entry.endswith("/") else f"{entry}/")


def judge_unsigned(name: str, where: str, allowed: bool) -> str:
    """The one warning for an image that nobody signed, or ``ImageError`` when not allowed."""
    if allowed:
        return f"The image {name} is not signed: nobody vouches for its origin."
    raise ImageError(
        f"The image {name} from {where} is not signed.",
        hint=how_to_vouch(signed=False),
    )
