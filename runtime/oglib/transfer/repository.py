# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repository offers, seen from a PC: its images by name, and where their files are.

Only names, addresses and small files; the image itself is read by ``HttpSource``. The listing
is a convenience and is trusted for nothing: what counts is the signed manifest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from oglib import limits
from oglib.connection import USUAL, Connection
from oglib.errors import OgErr, TransferError, UsageError
from oglib.settings import NAME_PART
from oglib.transfer.address import parse_address
from oglib.transfer.answers import StatusError
from oglib.transfer.client import HttpClient
from oglib.transfer.http import HttpSource, fetch_with

_LISTING_BYTES = 16 << 20
_ASIDE = ".ant"


@dataclass(frozen=True, slots=True)
class ImageAddresses:
    """The four files of one image on a web server."""

    image: str
    frames: str
    manifest: str
    signature: str


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One line of the listing, for people and menus. ``versions``: all that are kept of it."""

    name: str
    version: int
    title: str
    filesystem: str
    os: str
    created: str
    size_bytes: int
    required_bytes: int
    key_id: str
    versions: tuple[int, ...] = ()


def addresses_of(image_url: str) -> ImageAddresses:
    """The files beside an image whose own address is known.

    ``NAME.img.ant`` is the version before, whose other files are called so as well.
    """
    image = str(parse_address(image_url))
    if "?" in image:
        raise UsageError(
            f"{image} has a query, so the files beside it cannot be named.",
            hint="Give the plain address of the .img file.",
        )
    aside = _ASIDE if image.endswith(f".img{_ASIDE}") else ""
    plain = image.removesuffix(aside)
    beside = (f"{plain}{suffix}{aside}" for suffix in (".frames", ".json", ".json.sig"))
    return ImageAddresses(image, *beside)


class RepositoryClient:
    """The repository at ``http://host[:port]`` or ``https://…``, for one PC."""

    def __init__(self, base_url: str, *, connection: Connection = USUAL) -> None:
        self._base = parse_address(base_url)
        self._client = HttpClient(self._base, connection=connection)
        self._connection = connection

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> RepositoryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def describe(self) -> str:
        return str(self._base)

    def check(self) -> None:
        """Raise unless a repository answers here."""
        self._client.call("GET", self._base.below("healthz"))

    def addresses(self, name: str) -> ImageAddresses:
        """Where the files of the image of this name are."""
        parts = name.split("/")
        if not all(NAME_PART.fullmatch(part) for part in parts):
            raise UsageError(
                f"{name!r} is not the name of an image.",
                hint="Names are letters, digits, dot, dash and underscore, as in debian-13.",
            )
        return addresses_of(str(self._base.below("images", *parts[:-1], f"{parts[-1]}.img")))

    def fetch_manifest(self, name: str) -> bytes:
        """The exact bytes that were signed."""
        try:
            return self._small(self.addresses(name).manifest, limits.MANIFEST_BYTES)
        except StatusError as error:
            if error.status != 404:
                raise
            raise TransferError(
                f"The repository at {self._base.authority} has no image named {name}.",
                hint="`og image list` shows the images that are there.",
                code=OgErr.NOTFOUND,
            ) from error

    def fetch_layout(self, name: str) -> bytes:
        """The layout file of this name, as the site put it into ``layouts/``."""
        if not NAME_PART.fullmatch(name):
            raise UsageError(f"{name!r} is not the name of a layout.", hint="Mend the entry.")
        return self._small(str(self._base.below("layouts", f"{name}.json")), limits.LAYOUT_BYTES)

    def open_image(self, name: str, *, expected_size: int | None = None) -> HttpSource:
        """The image itself, to be read by ranges."""
        return HttpSource(
            self.addresses(name).image,
            expected_size=expected_size,
            connection=self._connection,
        )

    def listing(self) -> tuple[ListedImage, ...]:
        """The images that the repository shows."""
        address = self._base.below("images", "")
        body = fetch_with(
            self._client, address, limit_bytes=_LISTING_BYTES, accept="application/json"
        )
        try:
            return tuple(_listed(entry) for entry in json.loads(body)["images"])
        except (ValueError, KeyError, TypeError) as error:
            raise TransferError(
                f"{address} did not answer with a list of images.",
                hint="Check that the address leads to an ogLive repository.",
            ) from error

    def _small(self, url: str, limit_bytes: int) -> bytes:
        return fetch_with(self._client, parse_address(url), limit_bytes=limit_bytes)


def _listed(entry: dict[str, object]) -> ListedImage:
    def text(key: str) -> str:
        return " ".join(str(entry[key]).split())

    def number(key: str) -> int:
        value = entry[key]
        if not isinstance(value, int):
            raise TypeError(key)
        return value

    return ListedImage(
        name=text("name"),
        version=number("version"),
        title=text("title"),
        filesystem=text("filesystem"),
        os=text("os"),
        created=text("created"),
        size_bytes=number("size_bytes"),
        required_bytes=number("required_bytes"),
        key_id=text("key_id"),
        versions=_numbers(entry.get("versions", [])),
    )


def _numbers(told: object) -> tuple[int, ...]:
    """Repositories of before tell none."""
    if not isinstance(told, list) or not all(isinstance(one, int) for one in told):
        raise TypeError("versions")
    return tuple(told)
