# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person calls an image to an open one: a name, an address or a file.

A name is looked up in the repository this PC was told of; an ``http`` address is taken as it
is; anything that begins like a path or ends in ``.img`` is a file. Small files come first and
are checked; the image's body is not touched here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib.errors import UsageError
from oglib.image import (
    Manifest,
    OpenImage,
    Policy,
    PublicKey,
    check_name,
    load_public_keys,
    local_image,
    open_image,
)
from oglib.settings import Settings
from oglib.transfer.client import StatusError
from oglib.transfer.http import HttpSource, download, fetch
from oglib.transfer.repository import addresses_of

RUNTIME_DIR = Path("/run/oglive")
_SUFFIX = ".img"
_MANIFEST_BYTES = 1 << 20
_SIGNATURE_BYTES = 4096
FRAMES_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Reference:
    """An image as asked for: exactly one of ``url`` and ``path`` is set."""

    name: str
    url: str = ""
    path: Path | None = None


def resolve(text: str, settings: Settings) -> Reference:
    """What ``text`` names; nothing is opened yet."""
    if "://" in text:
        # Names may have folders; a repository serves them below images/.
        _, below, tail = text.rpartition("/images/")
        return Reference(_name_of(tail if below else text.rpartition("/")[2], text), url=text)
    if text.startswith(("/", "./", "../")) or text.endswith(_SUFFIX):
        path = Path(text)
        return Reference(_name_of(path.name, text), path=path)
    return Reference(check_name(text), url=f"{settings.repository_url()}/images/{text}.img")


def _name_of(last: str, text: str) -> str:
    name = last.removesuffix(_SUFFIX)
    if name == last:
        raise UsageError(
            f"{text} does not end in NAME.img.", hint="Give the address or path of the .img file."
        )
    return check_name(name)


@contextmanager
def opened(text: str, settings: Settings) -> Iterator[OpenImage]:
    """The image that ``text`` names, its manifest, signature and frame table checked."""
    reference = resolve(text, settings)
    keys = load_public_keys(settings.keys_dir) if settings.keys_dir.is_dir() else []
    scratch = RUNTIME_DIR if RUNTIME_DIR.is_dir() else None
    with TemporaryDirectory(prefix="image-", dir=scratch) as folder:
        if reference.path:
            image = local_image(reference.path, keys=keys, scratch=Path(folder))
        else:
            image = _open_url(reference, settings, keys, Path(folder))
        with image:
            yield image


def _open_url(
    reference: Reference, settings: Settings, keys: list[PublicKey], folder: Path
) -> OpenImage:
    urls = addresses_of(reference.url)
    manifest = fetch(urls.manifest, limit_bytes=_MANIFEST_BYTES)
    signature = signature_of(urls.signature)
    frames = folder / "frames"
    download(urls.frames, frames, limit_bytes=FRAMES_BYTES)
    source = HttpSource(urls.image, expected_size=Manifest.from_bytes(manifest).image_size_bytes)
    allowed = any(reference.url.startswith(prefix) for prefix in settings.allow_unsigned)
    try:
        return open_image(
            manifest,
            signature,
            frames,
            source,
            keys,
            Policy(unsigned_remote=allowed),
            name=reference.name,
            scratch=folder,
        )
    except BaseException:
        source.close()
        raise


def signature_of(url: str) -> bytes | None:
    """The detached signature; None only when the server says that there is none."""
    try:
        return fetch(url, limit_bytes=_SIGNATURE_BYTES)
    except StatusError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
