# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person calls an image to an open one: a name, an address or a file, ours or foreign.

A name is looked up in the repository this PC was told of; an ``http`` address is taken as it
is; anything that begins like a path or ends in ``.img`` is a file, the first volume of a split
one, or a partition in a folder of Clonezilla or FOG (``FOLDER/2``). ``@3`` behind any of them is
exactly that version, which may be the one before, kept aside as ``.ant``. Beside an image of ours
is its manifest; what has none is foreign, and is told by its first bytes. Small files come first
and are checked, the signature before all others; the image's body is not touched here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib import limits
from oglib.deploy.opening.foreign import describe_path, describe_url, open_foreign, open_foreign_url
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.policy import policy_for, policy_for_url, share_of
from oglib.errors import (
    ImageError,
    NotFoundError,
    OgErr,
    TransferError,
    UsageError,
    printable,
)
from oglib.image.any import Image, either, own_of, with_required
from oglib.image.format.disk_manifest import DISK_FILE
from oglib.image.format.frames import table_bytes
from oglib.image.format.manifest import Manifest, check_name
from oglib.image.format.signing import PublicKey, load_public_keys
from oglib.image.reading.formats.model import ImageInfo, StreamImage
from oglib.image.reading.local import companion, local_image, manifest_beside, plain_name
from oglib.image.reading.opened import OpenImage, Policy, open_image, vouch
from oglib.image.reading.partclone_stream import measured
from oglib.nearest import meant
from oglib.partfile import is_there
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.transfer.client import StatusError
from oglib.transfer.http import HttpSource, download, fetch, unless_absent
from oglib.transfer.repository import RepositoryClient, addresses_of

RUNTIME_DIR = Path("/run/oglive")
ASIDE = ".ant"
_SUFFIX = ".img"
_VERSION = re.compile(r"(.+)@([1-9][0-9]{0,17})", re.DOTALL | re.ASCII)
_AS_LONG_AS_THEY_SAY = ("partclone", "raw", "disk")


@dataclass(frozen=True, slots=True)
class Reference:
    """An image as asked for: exactly one of ``url`` and ``path`` is set.

    ``version``: that one and no other; 0 for the one that is shown. ``repository``: its address,
    where the image was named and not its own address.
    """

    name: str
    url: str = ""
    path: Path | None = None
    version: int = 0
    repository: str = ""

    @property
    def where(self) -> str:
        return str(self.path or self.url)

    def aside(self) -> Reference:
        """The version before."""
        if self.path is not None:
            return replace(self, path=self.path.with_name(self.path.name + ASIDE))
        return replace(self, url=self.url + ASIDE)


def versioned(text: str) -> tuple[str, int]:
    """``debian@3`` as ``debian`` and 3; a name without a version has 0."""
    match = _VERSION.fullmatch(text)
    # a file may be called so itself
    if match is None or (is_path(text) and is_there(Path(text))):
        return text, 0
    _, address, rest = match[1].partition("://")
    if address and "/" not in rest:
        return text, 0  # what stands before the host is no version
    return match[1], int(match[2])


def resolve(text: str, settings: Settings) -> Reference:
    """What ``text`` names; nothing is opened yet."""
    text, version = versioned(text)
    if "://" in text:
        # Names may have folders; a repository serves them below images/.
        _, below, tail = text.rpartition("/images/")
        name = _name_of(tail if below else text.rpartition("/")[2], text)
        return Reference(name, url=text, version=version)
    if is_path(text):
        # what a file may be called is not for us to say; the manifest says what an image is called
        path = Path(text)
        name = printable(plain_name(path.name).removesuffix(_SUFFIX))
        return Reference(name, path=path, version=version)
    refuse_ambiguous(text, settings)
    base = settings.repository_url()
    url = f"{base}/images/{text}{_SUFFIX}"
    return Reference(check_name(text), url=url, version=version, repository=base)


def located(reference: Reference) -> Reference:
    """The same, leading to the files of the version that was asked for.

    Their manifests say which of the two it is; they are judged when it is opened.
    """
    if not reference.version:
        return reference
    known = []
    for one in (reference, reference.aside()):
        raw = _manifest_of(one)
        found = Manifest.from_bytes(raw).version if raw is not None else 0
        if found == reference.version:
            return one
        known += [str(found)] if raw is not None else []
    raise no_version(reference.name, reference.version, reference.where, known)


def no_version(name: str, version: int, where: str, known: list[str]) -> NotFoundError:
    return NotFoundError(
        f"There is no version {version} of the image {name} at {where}.",
        hint=f"It has version {' and '.join(known)}."
        if known
        else "Check the name: no image with a version is there.",
        code=OgErr.NOTFOUND,
    )


def _manifest_of(reference: Reference) -> bytes | None:
    if reference.path is None:
        return fetch_if_there(addresses_of(reference.url).manifest, limits.MANIFEST_BYTES)
    return manifest_beside(reference.path)


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
    return check_name(plain_name(last).removesuffix(_SUFFIX))


@contextmanager
def opened(text: str, settings: Settings, memory: Memory | None = None) -> Iterator[Image]:
    """The image that ``text`` names, judged by what the site accepts.

    Of an image of ours manifest, signature, frame table and bitmap are checked; of a foreign one
    header and bitmap. ``memory`` refuses one from the network that is older than what the PC had.
    """
    with opened_at(resolve(text, settings), settings, memory) as image:
        yield image


@contextmanager
def opened_at(
    reference: Reference, settings: Settings, memory: Memory | None = None
) -> Iterator[Image]:
    """As ``opened``, for who knows what it is called."""
    reference = located(reference)
    with _scratch() as folder:
        if reference.path:
            image = _open_path(reference, reference.path, settings, folder, memory)
        else:
            image = _open_url(reference, settings, folder, memory)
        try:
            yield image
        finally:
            image.close()


@contextmanager
def opened_to_restore(
    text: str, settings: Settings, progress: Progress, memory: Memory | None = None
) -> Iterator[Image]:
    """The same, and it is known how much room it needs."""
    with opened(text, settings, memory) as image:
        yield sized(image, progress)


def sized(image: Image, progress: Progress) -> Image:
    """``image`` with what a target must have; compressed raw content is read whole for that."""
    return with_required(image, lambda stream: measured(stream, progress))


def refuse_cut(image: Image, progress: Progress) -> None:
    """Raise where a foreign image ends too early or is damaged, by reading all of it.

    For who is about to lose more than the image's own target: a table, or another's content. Images
    of ours have digests of every part, plain copies are as long as they say, or were refused when
    they were opened; what was measured was read already.
    """
    either(image, ours=lambda _: None, foreign=lambda stream: _refuse_cut(stream, progress))


def _refuse_cut(image: StreamImage, progress: Progress) -> None:
    info = image.info
    if image.measured_bytes:
        return
    if info.compressor == "none" and info.tool in _AS_LONG_AS_THEY_SAY and info.checksum != "v1":
        return
    with progress.phase("check", image.content_bytes) as phase:
        for region in image.regions():
            phase.advance(sum(length for _, length in region.runs))


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
    reference = located(resolve(text, settings))
    with _scratch() as folder:
        try:
            if reference.path and not is_ours(reference.path):
                return describe_path(reference.path)
            manifest = None if reference.path else _manifest_of(reference)
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
        image = _open_our_url(reference, manifest or b"", anything, keys, folder=folder)
    with image:
        return image.info


@contextmanager
def _scratch() -> Iterator[Path]:
    above = RUNTIME_DIR if RUNTIME_DIR.is_dir() else None
    with TemporaryDirectory(prefix="image-", dir=above) as folder:
        yield Path(folder)


def _keys(settings: Settings) -> list[PublicKey]:
    return load_public_keys(settings.keys_dir) if settings.keys_dir.is_dir() else []


def is_ours(path: Path) -> bool:
    """Whether any companion of an image of our format is beside ``path``."""
    return any(is_there(companion(path, suffix)) for suffix in (".json", ".frames"))


def _open_path(
    reference: Reference, path: Path, settings: Settings, scratch: Path, memory: Memory | None
) -> Image:
    policy = policy_for(path, settings)
    if not is_ours(path):
        return open_foreign(reference.name, path, policy, scratch)
    image = local_image(
        path,
        keys=_keys(settings),
        policy=policy,
        at_least_version=reference.version,
        scratch=scratch,
    )
    try:
        _refuse_other_version(reference, image.manifest)
        # what lies on a share comes from the network too
        if memory is None or not image.signed_by or share_of(path) is None:
            return image
        said = memory.judge(
            image.manifest.name, image.manifest.version, wanted=bool(reference.version)
        )
    except BaseException:
        image.close()
        raise
    return replace(image, warnings=(*image.warnings, *said))


def _open_url(
    reference: Reference, settings: Settings, folder: Path, memory: Memory | None
) -> Image:
    policy = policy_for_url(reference.url, settings)
    manifest = _manifest_of(reference)
    if manifest is None:
        with _named(reference):
            return open_foreign_url(reference.name, reference.url, policy, folder)
    return _open_our_url(reference, manifest, policy, _keys(settings), folder=folder, memory=memory)


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
    reference: Reference,
    manifest_bytes: bytes,
    policy: Policy,
    keys: list[PublicKey],
    *,
    folder: Path,
    memory: Memory | None = None,
) -> OpenImage:
    """The signature first: what nobody vouches for costs neither room nor time."""
    urls = addresses_of(reference.url)
    signature = signature_of(urls.signature)
    vouched = vouch(
        manifest_bytes,
        signature,
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
    frames = folder / "frames"
    fetch_frames(urls.frames, frames, manifest)
    source = HttpSource(urls.image, expected_size=manifest.image_size_bytes)
    try:
        image = open_image(
            manifest_bytes,
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
    return replace(image, warnings=(*image.warnings, *said))


def _refuse_other_version(reference: Reference, manifest: Manifest) -> None:
    """The repository may publish a new one between the look for a version and its opening."""
    if reference.version not in (0, manifest.version):
        known = [str(manifest.version)]
        raise no_version(reference.name, reference.version, reference.where, known)


def fetch_frames(url: str, path: Path, manifest: Manifest) -> None:
    """The frame table, of exactly the size that the manifest announces; else nothing is fetched."""
    download(
        url,
        path,
        limit_bytes=limits.FRAMES_BYTES,
        expected_size=table_bytes(manifest.frame_count),
    )


def signature_of(url: str) -> bytes | None:
    """The detached signature of something that is there; None where there is none for certain."""
    return unless_absent(lambda: fetch(url, limit_bytes=limits.SIGNATURE_BYTES))


def fetch_if_there(url: str, limit_bytes: int) -> bytes | None:
    """A small file; None only when the server says that there is none."""
    try:
        return fetch(url, limit_bytes=limit_bytes)
    except StatusError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
