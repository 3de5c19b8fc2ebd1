# SPDX-License-Identifier: GPL-3.0-or-later
"""Making room for an image, as far as the site allows (``ACTIONCACHEFULL``); what goes is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from oglib.cache.model import Room, Verdict, WhenFull
from oglib.cache.staging import Leftover
from oglib.cache.store import Store
from oglib.errors import OgErr, OgError
from oglib.wording.amounts import human_bytes


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """What has to go so that an image fits, in this order; nothing where it does.

    ``leftovers``: what was begun of other images. ``may_format``: where all of that turns out to
    be too little, the cache is made anew.
    """

    room: Room
    leftovers: tuple[Leftover, ...] = ()
    may_format: bool = False

    @property
    def changes(self) -> tuple[str, ...]:
        """What will go, a sentence each."""
        return (
            *(f"drop {_fetched(one)}" for one in self.leftovers),
            *(f"evict {name}" for name in self.room.evict),
            *(("format the cache, if that is still too little",) if self.may_format else ()),
        )


def plan_making_room(
    store: Store,
    size_bytes: int,
    when_full: WhenFull,
    *,
    replaces: str = "",
    has: Leftover | None = None,
) -> RoomPlan:
    """What has to go for ``size_bytes``; changes nothing.

    ``replaces``: the older version of the image goes first. ``has``: what was begun of it, which
    stays. Raises OG_ERR_CACHESIZE where it never fits, as far as that can be known.
    """
    size_bytes = max(0, size_bytes - (has.size_bytes if has else 0))
    room = store.room_for(size_bytes, replaces=replaces)
    if room.verdict is Verdict.FITS:
        return RoomPlan(room)
    others = tuple(one for one in store.leftovers() if has is None or one.path != has.path)
    freed = sum(one.size_bytes for one in others)
    room = store.room_for(size_bytes, replaces=replaces, freed_bytes=freed)
    if room.verdict is Verdict.FITS:
        return RoomPlan(room, others)
    if when_full is WhenFull.NONE:
        raise _error(room, "ACTIONCACHEFULL=NONE lets nothing be evicted")
    may_format = when_full is WhenFull.FORMAT and not _kept(store)
    if room.verdict is Verdict.NEVER and not (may_format and room.need_bytes <= store.size_bytes()):
        raise too_small(store, room)
    return RoomPlan(room, others, may_format)


def make_room(
    store: Store,
    size_bytes: int,
    when_full: WhenFull,
    *,
    replaces: str = "",
    has: Leftover | None = None,
    reformat: Callable[[], None] | None = None,
) -> tuple[str, ...]:
    """Do what ``plan_making_room`` says; returns what was done, empty when it was there.

    FORMAT evicts unpinned entries first; only where that is too little, and nothing is pinned or
    in use, ``reformat`` is called: it puts a fresh filesystem at the store's root. The space is
    looked at again after each. Raises OG_ERR_CACHESIZE when it is too small, before anything is
    evicted where that can be known.
    """
    plan = plan_making_room(store, size_bytes, when_full, replaces=replaces, has=has)
    if plan.room.verdict is Verdict.FITS and not plan.leftovers:
        return ()
    need = plan.room.need_bytes
    said = [f"dropped {_fetched(one)}" for one in plan.leftovers if store.drop(one)]
    said += [f"evicted {name} ({human_bytes(store.evict(name))})" for name in plan.room.evict]
    if plan.may_format and reformat is not None and store.free_bytes() < need:
        said += [f"evicted {one.name}" for one in store.entries()]
        said.append("formatted the cache: what was left in it took too much space")
        reformat()
        store.renew()
    if store.free_bytes() < need:
        raise _error(replace(plan.room, free_bytes=store.free_bytes()), "; ".join(said))
    return tuple(said)


def allowed(
    store: Store,
    size_bytes: int,
    when_full: WhenFull,
    *,
    replaces: str = "",
    has: Leftover | None = None,
) -> Verdict:
    """What ``make_room`` would come to; changes nothing."""
    try:
        plan = plan_making_room(store, size_bytes, when_full, replaces=replaces, has=has)
    except OgError as error:
        if error.code is not OgErr.CACHESIZE:
            raise
        return Verdict.NEVER
    return Verdict.AFTER_EVICTING if plan.room.evict or plan.may_format else Verdict.FITS


def _fetched(one: Leftover) -> str:
    return f"what was fetched of {one.name} ({human_bytes(one.size_bytes)})"


def too_small(store: Store, room: Room) -> OgError:
    """The error for a room that will never do, with what keeps it from doing."""
    kept = _kept(store)
    why = f"{', '.join(kept)} must stay" if kept else "not even an empty cache would do"
    return _error(room, why)


def _kept(store: Store) -> list[str]:
    busy = store.in_use()
    return [one.name for one in store.entries() if one.pinned or one.name in busy]


def _error(room: Room, why: str) -> OgError:
    return OgError(
        f"{human_bytes(room.need_bytes)} ({room.need_bytes} bytes) are needed in the cache, "
        f"but {human_bytes(room.free_bytes)} ({room.free_bytes} bytes) are free: {why}.",
        hint="Evict or unpin what `og cache list` shows, or make the cache larger.",
        code=OgErr.CACHESIZE,
    )
