# SPDX-License-Identifier: GPL-3.0-or-later
"""How much one may ask, and all of them."""

from __future__ import annotations

from ognetboot.hearing.rates import Rate, Rates


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_and_then_its_pace() -> None:
    clock = Clock()
    rates = Rates(Rate(3, 0.5), Rate(100, 100), clock)
    assert [rates.allow("a") for _ in range(4)] == [True, True, True, False]
    assert rates.allow("b")
    clock.now = 2.0
    assert [rates.allow("a") for _ in range(2)] == [True, False]


def test_all_together_have_one_too_and_a_refusal_costs_nobody() -> None:
    clock = Clock()
    rates = Rates(Rate(2, 1), Rate(3, 1), clock)
    assert [rates.allow(key) for key in "aabb"] == [True, True, True, False]
    clock.now = 1.0
    assert rates.allow("b")


def test_what_is_remembered_is_bounded() -> None:
    clock = Clock()
    rates = Rates(Rate(1, 0), Rate(1e9, 1), clock)
    assert rates.allow("first")
    for number in range(5000):
        assert rates.allow(number)
    assert len(rates._left) <= 4096
