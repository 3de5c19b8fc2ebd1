# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person calls an image to an open one: a name, an address or a file, ours or foreign.

A name is looked up in the repository this PC was told of; an ``http`` address is taken as it
is; anything that begins like a path or ends in ``.img`` is a file, the first volume of a split
one, or a partition in a folder of Clonezilla or FOG (``FOLDER/2``). Beside an image of ours is
its manifest; what has none is foreign, and is told by its first bytes. Small files come first
and are checked; the image's body is not touched here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib.deploy.foreign import describe_path, describe_url, open_foreign, open_foreign_url
from oglib.deploy.policy import policy_for, policy_for_url
from oglib.errors import ImageError, NotFoundError, TransferError, UsageError, printable
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
from oglib.image.disk_image import DISK_FILE
from oglib.image.foreign import ForeignImage, Image, info_of, required_bytes_of
from oglib.image.formats.model import ImageInfo
from oglib.image.partclone_stream import measured
from oglib.nearest import meant
from oglib.partfile import is_there
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.transfer.client import StatusError
from oglib.transfer.http import HttpSource, download, fetch
from oglib.transfer.repository import RepositoryClient, addresses_of

RUNTIME_DIR = Path("/run/oglive")
_SUFFIX = ".img"
_MANIFEST_BYTES = 1 << 20
_SIGNATURE_BYTES = 4096
FRAMES_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Reference:
    """An image as asked for: exactly one of ``url`` and ``path`` is set.

    ``repository``: its address, where the image was named and not its own address.
    """

    name: str
    url: str = ""
    path: Path | None = None
    repository: str = ""


def resolve(text: str, settings: Settings) -> Reference:
    """What ``text`` names; nothing is opened yet."""
    if "://" in text:
        # Names may have folders; a repository serves them below images/.
        _, below, tail = text.rpartition("/images/")
        return Reference(_name_of(tail if below else text.rpartition("/")[2], text), url=text)
    if is_path(text):
        # what a file may be called is not for us to say; the manifest says what an image is called
        path = Path(text)
        return Reference(printable(path.name.removesuffix(_SUFFIX)), path=path)
    refuse_ambiguous(text, settings)
    base = settings.repository_url()
    return Reference(check_name(text), url=f"{base}/images/{text}{_SUFFIX}", repository=base)


def is_path(text: str) -> bool:
    """Whether a person who writes this means a file or folder of this PC.

    No name in a repository holds ``.img``; so ``old.img.gz`` and ``old.img.aa`` are files.
    """
    return "://" not in text and (
        text.startswith(("/", "./", "../")) or _SUFFIX in text or text in (".", "..")
    )


def refuse_ambiguous(text: str, settings: Settings) -> None:
    """Raise where ``text`` is a name in the repository, and a file or image here is called so too.

    A folder that is no image is nobody's rival: ``home`` may well be the name of an image.
    """
    here = next((path for path in (Path(text), Path(text + _SUFFIX)) if _may_be_meant(path)), None)
    if here is None:
        return
    there = settings.repository_url() if settings.repository else ""
    theirs = f", and {there}/images/{text}{_SUFFIX} for the repository's" if there else ""
    raise UsageError(
        f"{text} is a name in the repository, and there is a file {here} here.",
        hint=f"Write ./{here} for the file{theirs}.",
    )


def _may_be_meant(path: Path) -> bool:
    return is_there(path) and (not path.is_dir() or is_there(path / DISK_FILE))


def _name_of(last: str, text: str) -> str:
    if last.endswith(".iso"):
        raise UsageError(
            f"{text} is a medium to start from, not the image of a partition.",
            hint="Give the address or path of the image's file.",
        )
    return check_name(last.removesuffix(_SUFFIX))


@contextmanager
def opened(text: str, settings: Settings) -> Iterator[Image]:
    """The image that ``text`` names, judged by what the site accepts.

    Of an image of ours manifest, signature, frame table and bitmap are checked; of a foreign one
    header and bitmap.
    """
    reference = resolve(text, settings)
    with _scratch() as folder:
        if reference.path:
            image = _open_path(reference.name, reference.path, settings, folder)
        else:
            image = _open_url(reference, settings, folder)
        try:
            yield image
        finally:
            image.close()


@contextmanager
def opened_to_restore(text: str, settings: Settings, progress: Progress) -> Iterator[Image]:
    """The same, and it is known how much room it needs."""
    with opened(text, settings) as image:
        yield sized(image, progress)


def sized(image: Image, progress: Progress) -> Image:
    """``image`` with what a target must have; compressed raw content is read whole for that."""
    if not isinstance(image, ForeignImage) or required_bytes_of(image):
        return image
    return replace(image, measured_bytes=measured(image, progress))


@contextmanager
def opened_frames(text: str, settings: Settings) -> Iterator[OpenImage]:
    """The same for work that needs our own format: digests of every part, a version, a name."""
    with opened(text, settings) as image:
        if not isinstance(image, OpenImage):
            raise ImageError(
                f"{text} is a {image.info.tool} image, and this needs one of ogLive's own format.",
                hint=f"Make one of it: `og image convert {text} --to FOLDER`.",
            )
        yield image


def described(text: str, settings: Settings) -> ImageInfo:
    """What the image says of itself, whoever signed it; what is wrong with it is ``damage``.

    Raises only where there is nothing to look at.
    """
    reference = resolve(text, settings)
    with _scratch() as folder:
        try:
            if reference.path and not is_ours(reference.path):
                return describe_path(reference.path)
            manifest = (
                None
                if reference.path
                else fetch_if_there(addresses_of(reference.url).manifest, _MANIFEST_BYTES)
            )
            if not reference.path and manifest is None:
                with _named(reference):
                    return describe_url(reference.url)
            return _our_info(reference, manifest, settings, folder)
        except ImageError as error:
            return ImageInfo("partclone", "zstd", damage=str(error))


def _our_info(
    reference: Reference, manifest: bytes | None, settings: Settings, folder: Path
) -> ImageInfo:
    anything, keys = Policy(unsigned_local=True, unsigned_remote=True), _keys(settings)
    if reference.path:
        image = local_image(reference.path, keys=keys, policy=anything, scratch=folder)
    else:
        image = _open_our_url(reference, manifest or b"", anything, keys, folder)
    with image:
        return info_of(image)


@contextmanager
def _scratch() -> Iterator[Path]:
    above = RUNTIME_DIR if RUNTIME_DIR.is_dir() else None
    with TemporaryDirectory(prefix="image-", dir=above) as folder:
        yield Path(folder)


def _keys(settings: Settings) -> list[PublicKey]:
    return load_public_keys(settings.keys_dir) if settings.keys_dir.is_dir() else []


def is_ours(path: Path) -> bool:
    """Whether any companion of an image of our format is beside ``path``."""
    return any(is_there(path.with_name(f"{path.name}{suffix}")) for suffix in (".json", ".frames"))


def _open_path(name: str, path: Path, settings: Settings, scratch: Path) -> Image:
    if is_ours(path):
        return local_image(
            path, keys=_keys(settings), policy=policy_for(path, settings), scratch=scratch
        )
    return open_foreign(name, path, policy_for(path, settings), scratch)


def _open_url(reference: Reference, settings: Settings, folder: Path) -> Image:
    urls = addresses_of(reference.url)
    policy = policy_for_url(reference.url, settings)
    manifest = fetch_if_there(urls.manifest, _MANIFEST_BYTES)
    if manifest is None:
        with _named(reference):
            return open_foreign_url(reference.name, reference.url, policy, folder)
    return _open_our_url(reference, manifest, policy, _keys(settings), folder)


@contextmanager
def _named(reference: Reference) -> Iterator[None]:
    """A name that the repository does not have is told as such, with what is nearest to it."""
    try:
        yield
    except StatusError as error:
        if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) or not reference.repository:
            raise
        raise NotFoundError(
            f"The repository at {reference.repository} has no image {reference.name}.",
            hint=f"{meant(reference.name, _names_at(reference.repository))}"
            "`og image list` shows what is there; a file is named by its path, as in ./NAME.img.",
        ) from error


def _names_at(repository: str) -> list[str]:
    """The names in the listing; none where there is no listing."""
    try:
        with RepositoryClient(repository) as client:
            return [one.name for one in client.listing()]
    except TransferError:
        return []


def _open_our_url(
    reference: Reference, manifest: bytes, policy: Policy, keys: list[PublicKey], folder: Path
) -> OpenImage:
    urls = addresses_of(reference.url)
    signature = signature_of(urls.signature)
    frames = folder / "frames"
    download(urls.frames, frames, limit_bytes=FRAMES_BYTES)
    source = HttpSource(urls.image, expected_size=Manifest.from_bytes(manifest).image_size_bytes)
    try:
        return open_image(
            manifest,
            signature,
            frames,
            source,
            keys,
            policy,
            name=reference.name,
            scratch=folder,
        )
    except BaseException:
        source.close()
        raise


def signature_of(url: str) -> bytes | None:
    """The detached signature; None only when the server says that there is none."""
    return fetch_if_there(url, _SIGNATURE_BYTES)


def fetch_if_there(url: str, limit_bytes: int) -> bytes | None:
    """A small file; None only when the server says that there is none."""
    try:
        return fetch(url, limit_bytes=limit_bytes)
    except StatusError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
