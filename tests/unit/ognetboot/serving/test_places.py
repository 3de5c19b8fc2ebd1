# SPDX-License-Identifier: GPL-3.0-or-later
"""How many connections one may hold, and all of them."""

from __future__ import annotations

from ognetboot.serving.places import Places


def test_places_are_counted_by_address_and_given_back() -> None:
    places = Places(total=3, per_address=2)
    assert places.enter("a")
    assert places.enter("a")
    assert not places.enter("a")
    assert places.enter("b")
    assert not places.enter("c")
    places.leave("a")
    assert places.enter("c")
    assert [places.turn_away() for _ in range(65)] == [True] * 64 + [False]
    places.told()
    assert places.turn_away()
    assert places._by_address == {"a": 1, "b": 1, "c": 1}
