# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entries go so that an image fits: least recently used, no pin, nothing needlessly."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from oglib.cache.model import Entry, Proof, Verdict
from oglib.cache.plan import needed_bytes, plan_room

MIB = 1 << 20


def entry(name: str, size: int, used: int, *, pinned: bool = False) -> Entry:
    return Entry(name, Path(f"{name}.img"), size, Proof.SIGNED, pinned=pinned, used=used)


OLD, MIDDLE, NEW = (entry(name, 100 * MIB, use) for use, name in enumerate("abc", start=1))


def test_what_fits_evicts_nothing() -> None:
    assert plan_room(10 * MIB, 20 * MIB, [OLD]).verdict is Verdict.FITS


def test_the_least_recently_used_goes_first() -> None:
    room = plan_room(150 * MIB, 60 * MIB, [NEW, OLD, MIDDLE])
    assert (room.verdict, room.evict) == (Verdict.AFTER_EVICTING, ("a",))


def test_the_version_to_be_replaced_goes_before_all_others() -> None:
    assert plan_room(150 * MIB, 60 * MIB, [OLD, MIDDLE, NEW], replaces="c").evict == ("c",)


def test_a_small_one_stays_when_a_large_one_goes_anyway() -> None:
    small = entry("small", 1 * MIB, 0)
    assert plan_room(150 * MIB, 60 * MIB, [small, OLD]).evict == ("a",)


def test_pinned_ones_and_those_in_use_stay() -> None:
    pinned = entry("p", 100 * MIB, 0, pinned=True)
    room = plan_room(150 * MIB, 60 * MIB, [pinned, OLD], in_use=["a"])
    assert (room.verdict, room.evict) == (Verdict.NEVER, ())


def test_nothing_goes_for_what_does_not_fit_anyway() -> None:
    room = plan_room(400 * MIB, 60 * MIB, [OLD, MIDDLE, NEW])
    assert (room.verdict, room.evict) == (Verdict.NEVER, ())
    assert (room.need_bytes, room.free_bytes) == (needed_bytes(400 * MIB), 60 * MIB)


@given(
    size=st.integers(1, 1 << 42),
    free=st.integers(0, 1 << 40),
    facts=st.lists(
        st.tuples(st.integers(0, 1 << 40), st.integers(0, 9), st.booleans(), st.booleans()),
        max_size=12,
    ),
    replaces=st.integers(0, 12),
)
def test_whatever_the_cache_holds(
    size: int, free: int, facts: list[tuple[int, int, bool, bool]], replaces: int
) -> None:
    entries = [
        entry(str(at), bytes_, used, pinned=pinned)
        for at, (bytes_, used, pinned, _) in enumerate(facts)
    ]
    busy = [str(at) for at, fact in enumerate(facts) if fact[3]]
    room = plan_room(size, free, entries, replaces=str(replaces), in_use=busy)
    sizes = {one.name: one.size_bytes for one in entries}
    may_go = {one.name for one in entries if not one.pinned} - set(busy)
    gained = free + sum(sizes[name] for name in room.evict)
    assert set(room.evict) <= may_go
    assert len(set(room.evict)) == len(room.evict)
    match room.verdict:
        case Verdict.FITS:
            assert not room.evict
            assert free >= room.need_bytes > size
        case Verdict.AFTER_EVICTING:
            assert free < room.need_bytes <= gained
            assert all(gained - sizes[name] < room.need_bytes for name in room.evict)
        case Verdict.NEVER:
            assert not room.evict
            assert free + sum(sizes[name] for name in may_go) < room.need_bytes
