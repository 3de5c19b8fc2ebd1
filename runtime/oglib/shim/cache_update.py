# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the cache lacks what the repository shows of an image: 0 yes, 1 no, more is an error.

A wrong call is an error like any other here (31), for its usual number would be the "no".
"""

from __future__ import annotations

from collections.abc import Sequence

from oglib.cache.partition import Places
from oglib.deploy.library.cache import opened_cache
from oglib.deploy.library.update import necessity
from oglib.deploy.library.whereabouts import cached, name_in_cache, published
from oglib.deploy.opening.reference import is_path, resolve
from oglib.errors import NotFoundError, OgErr, OgError, TransferError
from oglib.image.format.manifest import check_name
from oglib.settings import Settings
from oglib.shim.command import FREE, Command
from oglib.shim.origin import REPO, origin_of
from oglib.shim.target import warn
from oglib.transfer.choose import Held

_LEAST, _MOST = 2, 3
_EXTENSION = ".img"
_HOW = ("FULL", "UNICAST", "MULTICAST", "TORRENT", "RSYNC")


def _is_needed(words: Sequence[str]) -> bool:
    if not _LEAST <= len(words) <= _MOST or (words[2:] and words[2].upper() not in _HOW):
        raise OgError(
            "This call does not say which image is meant.",
            hint=f"Usage: ogUpdateCacheIsNecesary REPO /NAME.img [{'|'.join(_HOW)}].",
            code=OgErr.UPDATECACHE,
        )
    if words[0].upper() != REPO:
        raise NotFoundError(f"{words[0]!r} is no place that the cache is brought from.")
    try:
        return _lacks(words[1])
    except OgError as error:
        if error.code is not OgErr.FORMAT:
            raise
        raise NotFoundError(error.message, hint=error.hint) from error


def _lacks(file: str) -> bool:
    origin = origin_of(REPO)
    image = origin.image(file.strip("/").removesuffix(_EXTENSION))
    if not origin.http and is_path(image):
        return _lacks_shared(image, origin.settings)
    check_name(image)
    places = Places.from_environment()
    with opened_cache(origin.settings, places, tell=_tell) as cache:
        _tell(cache.recovered)
        return necessity(image, cache, origin.settings).needed


def _lacks_shared(image: str, loaded: Settings) -> bool:
    """Of a file on the repository's mounted share: by its manifest, else by its full checksum."""
    shared = resolve(image, loaded)
    there = published(shared, loaded)
    if not there.answers:
        raise TransferError(" ".join(there.why) or "The repository does not answer.")
    here = cached(name_in_cache(shared), there, loaded, _tell)
    if here.partition is None:
        raise OgError("This PC has no cache.", code=OgErr.NOTCACHE)
    return here.held is not Held.SAME


def _tell(facts: Sequence[str]) -> None:
    warn(*facts)


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogUpdateCacheIsNecesary",
            "REPO FILE [FULL|PROTOCOL]",
            "says whether the cache lacks an image: 0 it does, 1 it has it, more is an error",
            _is_needed,
            0,
            FREE,
            "ogUpdateCacheIsNecesary REPO /debian.img UNICAST",
            "An image of ours is judged by its signed manifest, any other by its full checksum; "
            "nothing is deleted, and no checksum is taken over unread. A wrong call is 31, for 1 "
            'is the answer "up to date"; a name that cannot be one is NOTFOUND.',
        ),
    )
}
