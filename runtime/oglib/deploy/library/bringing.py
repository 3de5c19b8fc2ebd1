# SPDX-License-Identifier: GPL-3.0-or-later
"""How the image of a job comes to this PC: the facts looked at, the way chosen, the bytes brought.

What is chosen is chosen before anybody is asked, and told with the plan; what was shown is done.
Between the two the repository may publish another version: the one that was planned is brought.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from blake3 import blake3

from oglib.cache.find import CachePartition, find_cache, has_cache_folders
from oglib.cache.model import Entry, Verdict, WhenFull
from oglib.cache.partition import Places
from oglib.cache.room import allowed
from oglib.cache.store import Store
from oglib.cache.turn import Tell
from oglib.deploy.library.cache import opened_cache
from oglib.deploy.library.update import update_cache
from oglib.deploy.opening.finding import located, manifest_of
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.opened import opened
from oglib.deploy.opening.reference import CACHE, in_cache, is_path, resolve
from oglib.deploy.planned import Given
from oglib.disk.model import Disk
from oglib.disk.probe import list_disks
from oglib.errors import (
    ImageError,
    NotFoundError,
    OgErr,
    OgError,
    PartitionError,
    TransferError,
    UsageError,
)
from oglib.image.any import Image, own_of
from oglib.image.format.frames import table_bytes
from oglib.image.format.manifest import Manifest
from oglib.settings import Settings
from oglib.transfer.answers import StatusError
from oglib.transfer.choice_words import language_of
from oglib.transfer.choose import (
    Choice,
    Engine,
    Facts,
    Held,
    Policy,
    Room,
    Via,
    Wanted,
    choose,
    wanted,
)

_ROOM = {
    Verdict.FITS: Room.ENOUGH,
    Verdict.AFTER_EVICTING: Room.AFTER_EVICTING,
    Verdict.NEVER: Room.NEVER,
}


@dataclass(frozen=True, slots=True)
class Bringing:
    """The decision for one image. ``opens``: what is opened to plan by, and where it is not to be
    brought first, restored; ``cache``: where it is brought to.
    """

    asked: Wanted
    choice: Choice
    opens: str
    name: str
    lines: tuple[str, ...]
    cache: CachePartition | None

    @property
    def uses_cache(self) -> bool:
        return self.choice.via is Via.CACHE

    @property
    def is_brought(self) -> bool:
        """Whether the image has to be brought into the cache before it is restored."""
        return self.uses_cache and self.choice.fetch

    def as_dict(self) -> dict[str, object]:
        """JSON-able: what was asked for, what is done, and why."""
        return {
            "asked": str(self.asked),
            "taken": f"{self.choice.method}-{self.choice.via}",
            "fetched": self.choice.fetch,
            "fell_back": self.choice.fell_back,
            "said": list(self.lines),
        }


@dataclass(frozen=True, slots=True)
class _Published:
    """What the repository says of it; ``manifest`` None: a foreign one, or nobody ``answers``."""

    manifest: Manifest | None = None
    answers: bool = False
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Cached:
    """What the cache says of one image."""

    partition: CachePartition | None = None
    held: Held = Held.NONE
    room: Room = Room.NEVER


def asked_way(image: str, method: str, settings: Settings) -> Wanted | None:
    """How an image shall come: as the job says, else as this boot does; None: nobody says.

    What this boot says is about images of a repository; a job that says it of a file is refused.
    """
    if is_path(image):
        if method:
            raise UsageError(
                f"{image} is a file: it is restored from where it is.",
                hint="Name an image of the repository, or leave --method out.",
            )
        return None
    if method:
        return wanted(method)
    try:
        return wanted(settings.method) if settings.method else None
    except UsageError as error:
        raise UsageError(f"ogmethod: {error.message}", hint="Mend the netboot entry.") from None


def decide(
    image: str, asked: Wanted, settings: Settings, *, fallback: bool, tell: Tell
) -> Bringing:
    """Look at what there is and choose; only reads. Raises, with its number, where it is no."""
    in_it = in_cache(image)
    there = _Published() if in_it else _published(image, settings)
    manifest = there.manifest
    name, version = in_it or _named(image, settings)
    cached = _in_cache(name, there, settings, tell)
    facts = Facts(
        from_cache=in_it is not None,
        cache=cached.partition is not None,
        room=cached.room,
        held=cached.held,
        repository=there.answers,
        multicast=Engine.MISSING,
        torrent=Engine.MISSING,
        policy=Policy(settings.restore_not_cached),
        fallback=fallback,
    )
    made = choose(asked, facts)
    lines = (*made.lines(language_of(settings.locale)), *there.why)
    if made.code is not None:
        cause, *more = lines
        raise OgError(cause, hint=" ".join(more), code=made.code)
    opens = image
    if made.via is Via.CACHE and not made.fetch and not in_it:
        exactly = manifest.version if manifest is not None else version
        opens = f"{CACHE}{name}@{exactly}" if exactly else f"{CACHE}{name}"
    return Bringing(asked, made, opens, name, lines, cached.partition)


def _named(image: str, settings: Settings) -> tuple[str, int]:
    reference = resolve(image, settings)
    return reference.name, reference.version


def _published(image: str, settings: Settings) -> _Published:
    try:
        raw = manifest_of(located(resolve(image, settings), settings), settings)
    except StatusError:  # it answers: that image is not to be had
        raise
    except TransferError as error:
        return _Published(why=(error.message,))
    if raw is None:
        with opened(image, settings):  # a foreign one; raises where there is none
            return _Published(answers=True)
    return _Published(Manifest.from_bytes(raw), answers=True)


def _in_cache(name: str, there: _Published, settings: Settings, tell: Tell) -> _Cached:
    """Only reads; of an image that the repository does not show, room is not asked for."""
    found = find_cache(list_disks(), has_cache_folders)
    if found is None:
        return _Cached()
    with opened_cache(settings, Places.from_environment(), tell=tell) as cache:
        tell(cache.recovered)
        manifest = there.manifest
        held = _held(_entry(cache.store, name), manifest)
        if manifest is None:
            return _Cached(cache.partition, held, Room.FOREIGN)
        size = manifest.image_size_bytes + table_bytes(manifest.frame_count)
        when = WhenFull(settings.action_cache_full)
        room = _ROOM[allowed(cache.store, size, when, replaces=name)]
        return _Cached(cache.partition, held, room)


def _entry(store: Store, name: str) -> Entry | None:
    try:
        return store.entry(name)
    except NotFoundError as error:
        if error.code is not OgErr.NOTFOUND:
            raise
        return None


def _held(entry: Entry | None, manifest: Manifest | None) -> Held:
    """Whether the entry is what is asked for: by the digest of its manifest."""
    if entry is None:
        return Held.NONE
    stored = (entry.files or {}).get(f"{entry.path.name}.json")
    if manifest is None or stored is None:
        return Held.OLDER
    same = stored.blake3 == blake3(manifest.to_bytes()).hexdigest()
    return Held.SAME if same else Held.OLDER


def refuse_own_cache(bringing: Bringing, disk: Disk) -> None:
    """Raise where the table of the disk that the cache is on would be written under its image."""
    cache = bringing.cache
    if bringing.uses_cache and cache is not None and cache.disk.path == disk.path:
        raise PartitionError(
            f"The image comes from {cache.describe()}, so the table of that disk cannot be "
            "written meanwhile.",
            hint="Write it first by `og disk apply`, or let the image come directly.",
            code=OgErr.LOCKED,
        )


@contextmanager
def brought(
    bringing: Bringing | None, image: Image, given: Given, memory: Memory
) -> Iterator[Image]:
    """The image to restore: the one that was planned with, or its copy in the cache."""
    if bringing is None or not bringing.is_brought:
        yield image
        return
    own = own_of(image)
    if own is None:
        raise ImageError(f"{image.name} is none of ogLive's own format.")
    places = Places.from_environment()
    exactly = f"@{own.manifest.version}" if own.manifest.version else ""
    with opened_cache(given.settings, places, tell=given.tell) as cache:
        done = update_cache(
            f"{bringing.opens.partition('@')[0]}{exactly}", cache, settings=given.settings,
            places=places, progress=given.progress, cancel=given.cancel,
        )  # fmt: skip
        given.tell(done.said)
    with opened(f"{CACHE}{bringing.name}{exactly}", given.settings, memory) as copy:
        there = own_of(copy)
        if there is None or there.manifest.image_blake3 != own.manifest.image_blake3:
            raise ImageError(
                f"The cache now has another {image.title} than the one that was planned.",
                hint="Run it again.",
            )
        yield copy
