# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a script's images are, by its first word: ``REPO``, ``CACHE`` or the address of a PC.

This PC's own address means its cache. The repository is its mounted share where there is one, else
it is asked by HTTP; there the folder of an organisational unit is a part of the image's name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from oglib import settings
from oglib.errors import NotFoundError, OgErr, OgError, UsageError
from oglib.settings import Settings, host_of, is_address
from oglib.shim.command import command_of
from oglib.shim.image_read import named_image, over_http
from oglib.shim.net import parameter

CACHE, REPO = "CACHE", "REPO"


@dataclass(frozen=True, slots=True)
class Origin:
    """``settings``: with the repository that was meant, and no way but what the script says."""

    where: str
    settings: Settings
    http: bool = False
    unit: str = ""

    @property
    def in_cache(self) -> bool:
        return self.where == CACHE

    def name(self, text: str) -> str:
        """The name of an image of the repository, as it is called there."""
        name = text.strip("/")
        return f"{self.unit}/{name}" if self.http and self.unit else name

    def image(self, text: str) -> str:
        """What the use cases take for it; OG_ERR_NOTFOUND where no such file is there."""
        return named_image([self.where, self.name(text)], self.settings)


def origin_of(word: str) -> Origin:
    """``REPO``, ``CACHE`` or an address, in letters of any size; the repository is changed to it.

    One that cannot be used is OG_ERR_NOTFOUND, any other word OG_ERR_FORMAT.
    """
    where = word.upper() or REPO
    loaded = replace(settings.load(), method="")
    if where in (CACHE, _own_address()):
        return Origin(CACHE, loaded)
    if where != REPO and not command_of("ogCheckIpAddress").run((where,)):
        raise UsageError(f"{word!r} is no place of images.", hint="Say REPO, CACHE or an address.")
    unit = parameter("ogunit")
    if over_http(REPO, loaded) and not parameter("ogprotocol"):
        return Origin(REPO, _asked_at(where, loaded), True, unit)
    try:
        command_of("ogChangeRepo").run((where, unit) if unit else (where,))
    except OgError as error:
        raise NotFoundError(error.message, hint=error.hint, code=OgErr.NOTFOUND) from error
    return Origin(REPO, loaded, over_http(REPO, loaded), unit)


def _own_address() -> str:
    try:
        return str(command_of("ogGetIpAddress").run(()) or "")
    except OgError:
        return ""  # a PC without a network has its cache all the same


def _asked_at(where: str, loaded: Settings) -> Settings:
    """The same repository on another server, asked in the same manner."""
    known = host_of(loaded.repository)
    if where in (REPO, known) or not is_address(where):
        return loaded
    return replace(loaded, repository=loaded.repository.replace(known, where, 1))
