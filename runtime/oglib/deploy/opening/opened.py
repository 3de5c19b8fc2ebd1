# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person calls the image of a partition to an open one, ours or foreign.

Beside an image of ours is its manifest; what has none is foreign, and is told by its first bytes.
Small files come first and are checked, the signature before all others; the image's body is not
touched here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib.deploy.opening.entry import held, telling_of_the_cache
from oglib.deploy.opening.fetching import fetch_frames, keys_of, signature_of
from oglib.deploy.opening.finding import addresses, located, manifest_of
from oglib.deploy.opening.foreign_image import (
    describe_path,
    describe_url,
    open_foreign,
    open_foreign_url,
)
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.near import near_in_cache
from oglib.deploy.opening.places import bytes_at, frames_of, image_of
from oglib.deploy.opening.policy import policy_for_url, policy_on, share_of
from oglib.deploy.opening.recorded import vouched_record
from oglib.deploy.opening.reference import Reference, no_version, resolve
from oglib.errors import ImageError, NotFoundError, TransferError
from oglib.image.any import Image, own_of
from oglib.image.format.manifest import Manifest
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.local import OwnFiles, open_files, own_files
from oglib.image.reading.opened import OpenImage, open_vouched
from oglib.image.reading.source import FileSource
from oglib.image.reading.vouching import Policy, VouchedRecord, vouch
from oglib.settings import Settings
from oglib.transfer.answers import StatusError
from oglib.transfer.places.source import PlacesSource
from oglib.transfer.repository import RepositoryClient
from oglib.wording.nearest import meant

RUNTIME_DIR = Path("/run/oglive")


@contextmanager
def opened(text: str, settings: Settings, memory: Memory | None = None) -> Iterator[Image]:
    """The image that ``text`` names, judged by what the site accepts.

    Of an image of ours manifest, signature, frame table and bitmap are checked; of a foreign one
    header and bitmap. ``memory`` refuses one from the network that is older than what the PC had.
    """
    with (
        held(text, settings, memory) as entry,
        opened_at(entry or resolve(text, settings), settings, memory) as image,
    ):
        yield image


@contextmanager
def opened_at(
    reference: Reference, settings: Settings, memory: Memory | None = None
) -> Iterator[Image]:
    """As ``opened``, for who knows what it is called."""
    if reference.version:
        reference = located(reference, settings)
    with scratch_folder() as scratch:
        if reference.path is None:
            image = _open_url(reference, settings, scratch, memory)
        elif (files := own_files(reference.path)).are_there:
            image = _open_files(reference, files, settings, scratch, memory)
        else:
            image = _open_foreign_file(reference, reference.path, settings, scratch, memory)
        try:
            yield image
        finally:
            image.close()


@contextmanager
def opened_frames(
    text: str, settings: Settings, memory: Memory | None = None
) -> Iterator[OpenImage]:
    """The same for work that needs our own format: digests of every part, a version, a name."""
    with opened(text, settings, memory) as image:
        own = own_of(image)
        if own is None:
            raise ImageError(
                f"{text} is a {image.info.tool} image, and this needs one of ogLive's own format.",
                hint=f"Make one of it: `og image convert {text} --to FOLDER`.",
            )
        yield own


def described(text: str, settings: Settings) -> ImageInfo:
    """What the image says of itself, whoever signed it; what is wrong with it is ``damage``.

    Raises only where there is nothing to look at.
    """
    with held(text, settings) as entry, scratch_folder() as scratch:
        reference = located(entry or resolve(text, settings), settings)
        try:
            return _described(reference, settings, scratch)
        except ImageError as error:
            return ImageInfo("partclone", "zstd", damage=str(error))


def _described(reference: Reference, settings: Settings, scratch: Path) -> ImageInfo:
    anything, keys = Policy(unsigned_local=True, unsigned_remote=True), keys_of(settings)
    if reference.path is not None:
        files = own_files(reference.path)
        if not files.are_there:
            return _with_signature(describe_path(reference.path), reference, settings)
        with open_files(files, keys=keys, policy=anything, scratch=scratch) as image:
            return image.info
    manifest = manifest_of(reference, settings)
    if manifest is None:
        with _explaining_absence(reference, settings):
            info = describe_url(reference.url, settings.connection)
            return _with_signature(info, reference, settings)
    with _open_our_url(reference, manifest, anything, settings, scratch=scratch) as image:
        return image.info


def _with_signature(info: ImageInfo, reference: Reference, settings: Settings) -> ImageInfo:
    """What a foreign image says, and whether a repository whose key is here vouches for it."""
    keys = keys_of(settings)
    vouched = vouched_record(reference, keys, settings, allowed=True, memory=None)
    return replace(info, signed=vouched is not None and bool(vouched.signed_by))


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Room for the bitmap of an image, for as long as it is open."""
    above = RUNTIME_DIR if RUNTIME_DIR.is_dir() else None
    with TemporaryDirectory(prefix="image-", dir=above) as folder:
        yield Path(folder)


def _open_foreign_file(
    reference: Reference, path: Path, settings: Settings, scratch: Path, memory: Memory | None
) -> Image:
    share = share_of(path)
    policy = policy_on(share, settings)
    vouched = vouched_record(
        reference,
        keys_of(settings),
        settings,
        allowed=policy.unsigned_local,
        memory=None if share is None else memory,
    )
    return open_foreign(
        reference.name,
        path,
        policy,
        scratch,
        recorded=reference.recorded,
        vouched=vouched,
        reading=reference.hold.source if reference.hold else FileSource,
    )


def _open_files(
    reference: Reference,
    files: OwnFiles,
    settings: Settings,
    scratch: Path,
    memory: Memory | None,
) -> OpenImage:
    share, hold = share_of(files.image), reference.hold
    image = open_files(
        hold.let_stand(files, scratch) if hold else files,
        keys=keys_of(settings),
        policy=policy_on(share, settings),
        at_least_version=reference.version,
        scratch=scratch,
        source=hold.source(files.image) if hold else None,
    )
    try:
        if reference.version:
            _refuse_other_version(reference, image.manifest)
        # what lies on a share comes from the network too
        if memory is None or not image.signed_by or share is None:
            return image
        said = memory.judge(
            image.manifest.name, image.manifest.version, wanted=bool(reference.version)
        )
    except BaseException:
        image.close()
        raise
    return replace(image, warnings=(*image.warnings, *said))


def _open_url(
    reference: Reference, settings: Settings, scratch: Path, memory: Memory | None
) -> Image:
    policy = policy_for_url(reference.url, settings)
    with telling_of_the_cache(reference.name if reference.repository else "", settings):
        manifest = manifest_of(reference, settings)
    if manifest is None:
        vouched = vouched_record(
            reference, keys_of(settings), settings, allowed=policy.unsigned_remote, memory=memory
        )
        with _explaining_absence(reference, settings):
            return open_foreign_url(
                reference.name,
                _body_of(reference, vouched),
                policy,
                scratch,
                settings.connection,
                vouched=vouched,
            )
    return _open_our_url(reference, manifest, policy, settings, scratch=scratch, memory=memory)


def _body_of(reference: Reference, vouched: VouchedRecord | None) -> str:
    """Where the bytes of a foreign image are; of one that is not shown under their digest alone."""
    if not reference.kept or vouched is None:
        return reference.url
    return bytes_at(reference, vouched.record.image_blake3)


@contextmanager
def _explaining_absence(reference: Reference, settings: Settings) -> Iterator[None]:
    """A name that the repository does not have is told as such, with what is nearest to it."""
    try:
        yield
    except StatusError as error:
        if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) or not reference.repository:
            raise
        raise NotFoundError(
            f"The repository at {reference.repository} has no image {reference.name}.",
            hint=f"{meant(reference.name, _names_at(reference.repository, settings))}"
            "`og image list` shows what is there; a file is named by its path, as in ./NAME.img.",
        ) from error


def _names_at(repository: str, settings: Settings) -> list[str]:
    """The names in the listing; none where there is no listing."""
    try:
        with RepositoryClient(repository, connection=settings.connection) as client:
            return [one.name for one in client.listing()]
    except TransferError:
        return []


def _open_our_url(
    reference: Reference,
    manifest_bytes: bytes,
    policy: Policy,
    settings: Settings,
    *,
    scratch: Path,
    memory: Memory | None = None,
) -> OpenImage:
    """The signature first: what nobody vouches for costs neither room nor time."""
    urls, keys = addresses(reference), keys_of(settings)
    vouched = vouch(
        manifest_bytes,
        signature_of(urls.signature, manifest_bytes, keys, settings.connection),
        keys,
        where=reference.url,
        allowed=policy.unsigned_remote,
        name=reference.name,
        at_least_version=reference.version,
    )
    manifest = vouched.manifest
    _refuse_other_version(reference, manifest)
    said: tuple[str, ...] = ()
    if memory is not None and vouched.signed_by:
        said = memory.judge(manifest.name, manifest.version, wanted=bool(reference.version))
    near, doubts = near_in_cache(manifest, settings, memory)
    frames, connection = scratch / "frames", settings.connection
    body = image_of(reference, manifest, settings, near)
    source = PlacesSource(body.wanted, body.places, where=urls.image, connection=connection)
    try:
        said += fetch_frames(
            frames_of(reference, manifest, settings, near), frames, reference.url, connection
        )
        image = open_vouched(vouched, frames, source, scratch=scratch)
    except BaseException:
        source.close()
        raise
    return replace(image, warnings=(*image.warnings, *said, *doubts))


def _refuse_other_version(reference: Reference, manifest: Manifest) -> None:
    """The repository may publish a new one between the look for a version and its opening."""
    if reference.version not in (0, manifest.version):
        known = [str(manifest.version)]
        raise no_version(reference.name, reference.version, reference.where, known)
