# SPDX-License-Identifier: GPL-3.0-or-later
"""Making room for an image, as far as the site allows (``ACTIONCACHEFULL``); what goes is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from oglib.cache.model import Room, Verdict, WhenFull
from oglib.cache.store import Store
from oglib.errors import OgErr, OgError
from oglib.wording.amounts import human_bytes


def make_room(
    store: Store,
    size_bytes: int,
    when_full: WhenFull,
    *,
    replaces: str = "",
    reformat: Callable[[], None] | None = None,
) -> tuple[str, ...]:
    """Free so much space; returns what was done for it, empty when it was there.

    FORMAT evicts unpinned entries first; only where that is too little, and nothing is pinned or
    in use, ``reformat`` is called: it puts a fresh filesystem at the store's root. The space is
    looked at again after each. Raises OG_ERR_CACHESIZE when it is too small, before anything is
    evicted where that can be known.
    """
    room = store.room_for(size_bytes, replaces=replaces)
    if room.verdict is Verdict.FITS:
        return ()
    if when_full is WhenFull.NONE:
        raise _error(room, "ACTIONCACHEFULL=NONE lets nothing be evicted")
    anew = reformat if when_full is WhenFull.FORMAT and not _kept(store) else None
    if room.verdict is Verdict.NEVER and not (anew and room.need_bytes <= store.size_bytes()):
        raise too_small(store, room)
    said = [f"evicted {name} ({human_bytes(store.evict(name))})" for name in room.evict]
    if anew is not None and store.free_bytes() < room.need_bytes:
        said += [f"evicted {one.name}" for one in store.entries()]
        said.append("formatted the cache: what was left in it took too much space")
        anew()
        store.renew()
    if store.free_bytes() < room.need_bytes:
        raise _error(replace(room, free_bytes=store.free_bytes()), "; ".join(said))
    return tuple(said)


def allowed(store: Store, size_bytes: int, when_full: WhenFull, *, replaces: str = "") -> Verdict:
    """What ``make_room`` would come to; changes nothing."""
    room = store.room_for(size_bytes, replaces=replaces)
    if room.verdict is Verdict.FITS:
        return Verdict.FITS
    if when_full is WhenFull.NONE:
        return Verdict.NEVER
    if room.verdict is Verdict.AFTER_EVICTING:
        return Verdict.AFTER_EVICTING
    anew = when_full is WhenFull.FORMAT and not _kept(store)
    return (
        Verdict.AFTER_EVICTING if anew and room.need_bytes <= store.size_bytes() else Verdict.NEVER
    )


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
