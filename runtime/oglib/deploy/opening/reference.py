# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person calls an image: a name, an address or a file, as a value. Nothing is opened here.

A name is looked up in the repository this PC was told of; an ``http`` address is taken as it
is; anything that begins like a path or ends in ``.img`` is a file, the first volume of a split
one, or a partition in a folder of Clonezilla or FOG (``FOLDER/2``). ``@3`` behind any of them is
exactly that version, which may be the one before, kept aside as ``.ant``. ``CACHE:NAME`` is an
entry of this PC's cache, which has to be mounted and held before it is a file (``entry``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from oglib.deploy.opening.policy import Share, repository_folder, share_at
from oglib.errors import NotFoundError, OgErr, UsageError, printable
from oglib.filesystem.share import Place, place_of
from oglib.image.format.disk_manifest import DISK_FILE
from oglib.image.format.manifest import Manifest, check_name
from oglib.image.reading.local import OwnFiles, plain_name
from oglib.image.reading.source import FileSource
from oglib.partfile import is_there
from oglib.settings import Settings

ASIDE = ".ant"
IMAGES = "/images/"  # of a repository's address
CACHE = "CACHE:"
SUFFIX = ".img"
_VERSION = re.compile(r"(.+)@([1-9][0-9]{0,17})", re.DOTALL | re.ASCII)


class Keeping(Protocol):
    """What keeps a file where it is, and reads it."""

    def source(self, path: Path) -> FileSource: ...

    def let_stand(self, files: OwnFiles, scratch: Path) -> OwnFiles:
        """The same files, of which none stays open but by ``source``."""
        ...


@dataclass(frozen=True, slots=True)
class Reference:
    """An image as asked for: exactly one of ``url``, ``path`` and ``in_cache`` is set.

    ``place``: where ``path`` lies; None where nobody has looked yet. ``in_cache``: it is an entry
    of this PC's cache, which has to be held before it is a file. ``asked``: as a person called it,
    without its version.
    ``version``: that one and no other; 0 for the one that is shown. ``repository``: its address,
    where the image was named and not its own address. ``recorded``: the BLAKE3 that the cache
    keeps of the file; empty where nothing is known. ``hold``: what keeps it there, which reads it.
    ``kept``: the address of a repository's records of this version, to which ``.json`` is added;
    empty where the files lie beside the image.
    ``said``: what a person should know of where it is. One with a ``path`` and a ``repository`` is
    on the repository's share.
    """

    name: str
    url: str = ""
    path: Path | None = None
    version: int = 0
    repository: str = ""
    recorded: str = ""
    said: tuple[str, ...] = ()
    kept: str = ""
    hold: Keeping | None = None
    place: Place | None = None
    in_cache: bool = False
    asked: str = ""

    @property
    def text(self) -> str:
        """What a person writes for it, with the version."""
        return f"{self.asked}@{self.version}" if self.version else self.asked

    @property
    def where(self) -> str:
        return str(self.path or self.url)

    @property
    def share(self) -> Share | None:
        """The share that its file is on; None: on this PC's own disks, or no file."""
        return share_at(self.place, repository_folder().resolve()) if self.place else None

    @property
    def is_own_file(self) -> bool:
        """Whether it is a file of this PC: on no share, nor where scripts expect one."""
        if self.place is None or self.share is not None:
            return False
        return not self.place.real.is_relative_to(repository_folder().resolve())

    @property
    def reading(self) -> Callable[[Path], FileSource]:
        """What reads its file: what holds it, else what knows already whether it is far."""
        if self.hold is not None:
            return self.hold.source
        return partial(FileSource, far=self.place.is_far if self.place else None)

    def placed(self) -> Reference:
        """The same, and where its file lies is known."""
        if self.path is None or self.place is not None:
            return self
        return replace(self, place=place_of(self.path))

    def refuse_other_version(self, manifest: Manifest) -> None:
        """The repository may publish one between the look for a version and its opening."""
        if self.version not in (0, manifest.version):
            raise no_version(self.name, self.version, self.where, [str(manifest.version)])

    def aside(self) -> Reference:
        """The version before."""
        if self.path is not None:
            path = self.path.with_name(self.path.name + ASIDE)
            return replace(self, path=path, place=None)  # a link may lead elsewhere
        return replace(self, url=self.url + ASIDE)

    def as_kept(self) -> Reference | None:
        """The version as a repository keeps it behind what it shows; None: this is in none.

        One that was named is asked of the repository by HTTP, also where images come by its share.
        """
        url = self.url
        if self.path is not None and self.repository:
            url = f"{self.repository}{IMAGES}{self.name}{SUFFIX}"
        base, below, tail = url.rpartition(IMAGES)
        if not below or not tail.endswith(SUFFIX):
            return None
        kept = f"{base}/versions/{tail.removesuffix(SUFFIX)}/{self.version}"
        return replace(self, url=url, path=None, kept=kept)

    @property
    def base(self) -> str:
        """The address of the repository that this is in; empty where it is in none."""
        base, below, _ = self.url.rpartition(IMAGES)
        return base if below else ""


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
    """What ``text`` names, for who wants what is not in the cache; nothing is opened yet."""
    reference = reference_of(text, settings)
    if reference.in_cache:
        raise UsageError(
            f"{CACHE}{reference.name} is in the cache, and this wants an image of the repository "
            "or of a file.",
            hint=f"Name it without {CACHE}.",
        )
    return reference


def reference_of(text: str, settings: Settings) -> Reference:
    """What ``text`` names, wherever that is, and where its file lies; nothing is opened yet."""
    if text.startswith(CACHE):
        name, version = versioned(text.removeprefix(CACHE))
        return in_cache(name, version)
    text, version = versioned(text)
    if "://" in text:
        # Names may have folders; a repository serves them below images/.
        _, below, tail = text.rpartition(IMAGES)
        name = _name_of(tail if below else text.rpartition("/")[2], text)
        return Reference(name, url=text, version=version, asked=text)
    if is_path(text):
        # what a file may be called is not for us to say; the manifest says what an image is called
        path = Path(text)
        name = printable(plain_name(path.name).removesuffix(SUFFIX))
        return Reference(name, path=path, version=version, place=place_of(path), asked=text)
    refuse_ambiguous(text, settings)
    base = settings.repository_url()
    url = f"{base}/images/{text}{SUFFIX}"
    return Reference(check_name(text), url=url, version=version, repository=base, asked=text)


def in_cache(name: str, version: int = 0) -> Reference:
    """The entry ``name`` of this PC's cache."""
    return Reference(name, version=version, in_cache=True, asked=f"{CACHE}{name}")


def no_version(name: str, version: int, where: str, known: list[str]) -> NotFoundError:
    return NotFoundError(
        f"There is no version {version} of the image {name} at {where}.",
        hint=f"It has version {' and '.join(known)}."
        if known
        else "Check the name: no image with a version is there.",
        code=OgErr.NOTFOUND,
    )


def is_path(text: str) -> bool:
    """Whether a person who writes this means a file or folder of this PC.

    No name in a repository holds ``.img``; so ``old.img.gz`` and ``old.img.aa`` are files.
    """
    return (
        "://" not in text
        and not text.startswith(CACHE)
        and (text.startswith(("/", "./", "../")) or SUFFIX in text or text in (".", ".."))
    )


def refuse_ambiguous(text: str, settings: Settings) -> None:
    """Raise where ``text`` is a name in the repository, and a file or image here is called so too.

    A folder that is no image is nobody's rival: ``home`` may well be the name of an image.
    """
    here = next((path for path in (Path(text), Path(text + SUFFIX)) if _may_be_meant(path)), None)
    if here is None:
        return
    there = settings.repository_url() if settings.repository else ""
    theirs = f", and {there}/images/{text}{SUFFIX} for the repository's" if there else ""
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
    return check_name(plain_name(last).removesuffix(SUFFIX))
