# SPDX-License-Identifier: GPL-3.0-or-later
"""Many at once are one piece of work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from ognetboot.hearing.together import Together


def test_what_came_while_it_was_busy_is_done_at_once() -> None:
    calls: list[list[int]] = []
    go = threading.Event()

    def double(them: Sequence[int]) -> list[int]:
        calls.append(list(them))
        assert go.wait(30)
        return [2 * one for one in them]

    async def run() -> list[int]:
        together = Together(double)
        first = asyncio.create_task(together.ask(0))
        while not calls:
            await asyncio.sleep(0)
        others = [asyncio.create_task(together.ask(number)) for number in range(1, 40)]
        await asyncio.sleep(0)
        go.set()
        return list(await asyncio.gather(first, *others))

    assert asyncio.run(run()) == [2 * number for number in range(40)]
    assert calls == [[0], list(range(1, 40))]


def test_a_failure_is_that_of_each_and_the_next_is_done() -> None:
    def third(them: Sequence[int]) -> list[int]:
        if 3 in them:
            raise ValueError("three")
        return list(them)

    async def run() -> None:
        together = Together(third)
        with pytest.raises(ValueError, match="three"):
            await together.ask(3)
        assert await together.ask(4) == 4

    asyncio.run(run())
