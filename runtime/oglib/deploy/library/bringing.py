# SPDX-License-Identifier: GPL-3.0-or-later
"""How the image of a job comes to this PC: the facts looked at, the way chosen, the bytes brought.

What is chosen is chosen before anybody is asked, and told with the plan; what was shown is done.
Between the two the repository may publish another version: the one that was planned is brought.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from oglib.cache.find import CachePartition
from oglib.cache.model import WhenFull
from oglib.cache.partition import Places
from oglib.cache.turn import Tell
from oglib.deploy.library.cache import add_file, opened_cache
from oglib.deploy.library.update import planned_update, update_cache
from oglib.deploy.library.whereabouts import Published, cached, name_in_cache, published
from oglib.deploy.opening.memory import Memory, keeps
from oglib.deploy.opening.opened import opened_as
from oglib.deploy.opening.reference import Reference, in_cache
from oglib.deploy.planned import Given
from oglib.disk.model import Disk
from oglib.disk.planning.planned import TablePlan
from oglib.errors import (
    ImageError,
    OgErr,
    OgError,
    PartitionError,
    UsageError,
)
from oglib.image.any import Image, own_of
from oglib.settings import Settings
from oglib.transfer.choice_words import language_of
from oglib.transfer.choose import (
    Choice,
    Engine,
    Facts,
    Policy,
    Via,
    Wanted,
    choose,
    wanted,
)


@dataclass(frozen=True, slots=True)
class Bringing:
    """The decision for one image, which is called ``name`` in the cache.

    ``opens``: what is opened to plan by, and to restore where nothing is brought before;
    ``source``: what is brought, of a repository or share. ``cache``: where to.
    """

    asked: Wanted
    choice: Choice
    name: str
    opens: Reference
    source: Reference
    lines: tuple[str, ...]
    cache: CachePartition | None

    @property
    def uses_cache(self) -> bool:
        return self.choice.via is Via.CACHE

    @property
    def is_brought(self) -> bool:
        """Whether the image has to be brought into the cache before it is restored."""
        return self.uses_cache and self.choice.fetch


def asked_way(method: str, settings: Settings) -> Wanted | None:
    """How an image shall come: as the job says, else as this boot does; None: nobody says."""
    if method:
        return wanted(method)
    try:
        return wanted(settings.method) if settings.method else None
    except UsageError as error:
        raise UsageError(f"ogmethod: {error.message}", hint="Mend the netboot entry.") from None


def decide(
    image: Reference, asked: Wanted, settings: Settings, *, fallback: bool, tell: Tell
) -> Bringing:
    """Look at what there is and choose; only reads. Raises, with its number, where it is no."""
    in_it = image.in_cache
    there = Published() if in_it else published(image, settings)
    name = name_in_cache(image)
    here = cached(name, there, settings, tell)
    facts = Facts(
        from_cache=in_it,
        cache=here.partition is not None,
        room=here.room,
        held=here.held,
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
    exactly = there.manifest.version if there.manifest else image.version
    # by its name where that is known there: what is damaged in the cache then comes from elsewhere
    by_name = in_it or there.manifest is not None
    from_it = made.via is Via.CACHE and not made.fetch and not by_name
    opens = in_cache(name, exactly) if from_it else image
    source = image if image.path else replace(image, version=exactly)
    if made.fetch and made.via is Via.CACHE:
        lines = (*lines, *_what_goes(source, settings, tell))
    return Bringing(asked, made, name, opens, source, lines, here.partition)


def _what_goes(source: Reference, settings: Settings, tell: Tell) -> tuple[str, ...]:
    """What leaves the cache for it, and how much is fetched."""
    if source.path is not None:
        return ()
    with (
        opened_cache(settings, Places.from_environment(), tell=tell) as cache,
        planned_update(source.text, cache, settings) as plan,
    ):
        return plan.changes


def refuse_own_cache(bringing: Bringing, disk: Disk, table: TablePlan) -> None:
    """Raise where ``table`` takes the cache away that the image comes through."""
    cache = bringing.cache
    if not bringing.uses_cache or cache is None or cache.disk.path != disk.path:
        return
    if not keeps(table, cache.part):
        raise PartitionError(
            f"The image comes through the cache, {cache.describe()}, and the table to be written "
            "takes that away.",
            hint="Keep it in the layout (`keep`), or let the image come directly.",
            code=OgErr.LOCKED,
        )


def bring(bringing: Bringing, given: Given) -> tuple[str, ...]:
    """Bring the image into the cache; what was done for it. A second call brings nothing."""
    places = Places.from_environment()
    with opened_cache(given.settings, places, tell=given.tell) as cache:
        if bringing.source.path is not None:
            when = WhenFull(given.settings.action_cache_full)
            return add_file(cache, bringing.source.path, bringing.name, when, places)[1]
        with planned_update(bringing.source.text, cache, given.settings) as plan:
            return update_cache(
                plan, cache, settings=given.settings, places=places, progress=given.progress,
                cancel=given.cancel,
            ).said  # fmt: skip


@contextmanager
def brought(bringing: Bringing, image: Image, given: Given, memory: Memory) -> Iterator[Image]:
    """The copy in the cache of the image that was planned with: brought there, and opened."""
    given.tell(bring(bringing, given))
    with opened_as(in_cache(bringing.name), given.settings, memory) as copy:
        planned, there = own_of(image), own_of(copy)
        if planned and there and planned.manifest.image_blake3 != there.manifest.image_blake3:
            raise ImageError(
                f"The cache now has another {image.title} than the one that was planned.",
                hint="Run it again.",
            )
        yield copy
