# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person calls the image of a partition to an open one, ours or foreign.

Beside an image of ours is its manifest; what has none is foreign, and is told by its first bytes.
Small files come first and are checked, the signature before all others; the image's body is not
touched here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib.deploy.opening.entry import held, held_entry, telling_of_the_cache
from oglib.deploy.opening.fetching import keys_of, signature_of
from oglib.deploy.opening.finding import addresses, located, manifest_of
from oglib.deploy.opening.foreign_image import (
    describe_path,
    describe_url,
    open_foreign,
    open_foreign_url,
    open_recorded,
)
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.own_image import open_ours
from oglib.deploy.opening.places import recorded_of
from oglib.deploy.opening.policy import policy_for_url, policy_on
from oglib.deploy.opening.recorded import vouched_record
from oglib.deploy.opening.reference import Reference, reference_of, resolve
from oglib.deploy.opening.shared import OPENING_S, on_share
from oglib.errors import ImageError, NotFoundError, TransferError
from oglib.image.any import Image, own_of
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.local import open_files, own_files
from oglib.image.reading.opened import OpenImage
from oglib.image.reading.source import FrameSource
from oglib.image.reading.vouching import Policy, VouchedRecord
from oglib.kernel.far import within
from oglib.settings import SHARES, Settings
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
    with opened_as(reference_of(text, settings), settings, memory) as image:
        yield image


@contextmanager
def opened_as(
    reference: Reference, settings: Settings, memory: Memory | None = None
) -> Iterator[Image]:
    """As ``opened``, for who knows what the text names: an entry of the cache is held first.

    What has a name in the repository is looked for on its share where images come by it.
    """
    there: AbstractContextManager[Reference] = nullcontext(reference)
    if reference.in_cache:
        there = held_entry(reference.name, reference.version, settings, memory)
    elif reference.repository and settings.protocol in SHARES:
        there = nullcontext(on_share(reference, settings))
    with there as found, opened_at(found, settings, memory) as image:
        yield image


def named(text: str, settings: Settings) -> Reference:
    """What ``text`` names, on the repository's share where images come by it."""
    return on_share(resolve(text, settings), settings)


@contextmanager
def opened_at(
    reference: Reference, settings: Settings, memory: Memory | None = None
) -> Iterator[Image]:
    """As ``opened``, for who knows what it is called and where it lies."""
    if reference.version:
        reference = located(reference, settings)
    reference = reference.placed()
    with scratch_folder() as scratch:
        path, place = reference.path, reference.place
        if path is None:
            image = _open_url(reference, settings, scratch, memory)
        elif place and place.is_far:
            # Small files are read without an end of their own, so opening as a whole has one.
            image = within(
                str(path), OPENING_S, lambda: _open_path(reference, path, settings, scratch, memory)
            )
        else:
            image = _open_path(reference, path, settings, scratch, memory)
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
        reference = located(entry or named(text, settings), settings)
        try:
            return _described(reference, settings, scratch)
        except ImageError as error:
            return ImageInfo("partclone", "zstd", damage=str(error))


def _described(reference: Reference, settings: Settings, scratch: Path) -> ImageInfo:
    anything, keys = Policy(unsigned_local=True), keys_of(settings)
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
    signature = _signature(reference, manifest, settings)
    with open_ours(
        reference, manifest, signature, settings, allowed=True, scratch=scratch
    ) as image:
        return image.info


def _with_signature(info: ImageInfo, reference: Reference, settings: Settings) -> ImageInfo:
    """What a foreign image says, and whether a repository whose key is here vouches for it."""
    keys = keys_of(settings)
    vouched = vouched_record(reference, keys, settings, allowed=True, memory=None)
    return replace(info, signed=vouched is not None and bool(vouched.signed_by))


def _signature(reference: Reference, manifest: bytes, settings: Settings) -> bytes | None:
    address = addresses(reference).signature
    return signature_of(address, manifest, keys_of(settings), settings.connection)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Room for the bitmap of an image, for as long as it is open."""
    above = RUNTIME_DIR if RUNTIME_DIR.is_dir() else None
    with TemporaryDirectory(prefix="image-", dir=above) as folder:
        yield Path(folder)


def _open_path(
    reference: Reference, path: Path, settings: Settings, scratch: Path, memory: Memory | None
) -> Image:
    files = own_files(path)
    if not files.are_there:
        return _open_foreign_file(reference, path, settings, scratch, memory)
    share, hold = reference.share, reference.hold
    policy = policy_on(share, settings)
    if share is not None:
        # what lies on a share comes from the network too
        return open_ours(
            reference, files.manifest_bytes(), files.read_signature(), settings,
            allowed=policy.unsigned_local, scratch=scratch, memory=memory,
        )  # fmt: skip
    image = open_files(
        hold.let_stand(files, scratch) if hold else files,
        keys=keys_of(settings),
        policy=policy,
        at_least_version=reference.version,
        scratch=scratch,
        reading=reference.reading,
    )
    try:
        reference.refuse_other_version(image.manifest)
    except BaseException:
        image.close()
        raise
    return image


def _open_foreign_file(
    reference: Reference, path: Path, settings: Settings, scratch: Path, memory: Memory | None
) -> Image:
    share = reference.share
    policy = policy_on(share, settings)
    vouched = vouched_record(
        reference,
        keys_of(settings),
        settings,
        allowed=policy.unsigned_local,
        memory=None if share is None else memory,
    )
    reading = reference.reading
    if vouched is None:
        image = open_foreign(
            reference.name, path, policy, scratch, recorded=reference.recorded, reading=reading
        )
        return replace(image, doubts=(*reference.said, *image.doubts))
    source = reading(path) if share is None else _places(reference, vouched, settings)
    return open_recorded(reference.name, source, vouched, scratch)


def _places(reference: Reference, vouched: VouchedRecord, settings: Settings) -> FrameSource:
    body = recorded_of(reference, vouched.record, settings)
    return PlacesSource(body.wanted, body.places, where=body.where, connection=settings.connection)


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
        if vouched is not None:
            source = _places(reference, vouched, settings)
            return open_recorded(reference.name, source, vouched, scratch)
        with _explaining_absence(reference, settings):
            image = open_foreign_url(
                reference.name, reference.url, policy, scratch, settings.connection
            )
            return replace(image, doubts=(*reference.said, *image.doubts))
    signature = _signature(reference, manifest, settings)
    return open_ours(
        reference, manifest, signature, settings,
        allowed=policy.unsigned_remote, scratch=scratch, memory=memory,
    )  # fmt: skip


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
