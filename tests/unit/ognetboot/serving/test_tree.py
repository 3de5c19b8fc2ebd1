# SPDX-License-Identifier: GPL-3.0-or-later
"""When the tree is written anew: a file was saved, a time came. A mistake leaves the old one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from ognetboot.errors import NetbootError
from ognetboot.inventory.reading import parse
from ognetboot.serving import tree
from ognetboot.serving.tree import Keeper, Written
from unit.ognetboot.serving.server import INVENTORY

ROOMS = parse(INVENTORY, source="rooms.toml")


def written(after: timedelta | None = None) -> Written:
    return Written(ROOMS, "", True, None if after is None else datetime.now(UTC) + after)


async def kept(keeper: Keeper, act: Callable[[], None], news: asyncio.Event) -> None:
    """Keep it until it has said something new after `act`."""
    task = asyncio.create_task(keeper.keep())
    act()
    async with asyncio.timeout(60):
        await news.wait()
    task.cancel()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_LOOK_S", 0.01)


@pytest.mark.parametrize("change", ["saved", "exchanged", "older", "gone"])
def test_another_file_is_seen_whatever_became_of_it(tmp_path: Path, change: str) -> None:
    file = tmp_path / "rooms.toml"
    file.write_text("one")

    def act() -> None:
        match change:
            case "saved":
                file.write_text("two!")
            case "exchanged":
                (tmp_path / "new").write_text("one")
                (tmp_path / "new").replace(file)
            case "older":
                os.utime(file, (1, 1))
            case "gone":
                file.unlink()

    async def run() -> None:
        news = asyncio.Event()
        keeper = Keeper((file,), written, lambda _: news.set())
        await keeper.begin()
        await kept(keeper, act, news)

    asyncio.run(run())


def test_a_time_that_comes_is_enough() -> None:
    async def run() -> None:
        news = asyncio.Event()
        keeper = Keeper((), lambda: written(timedelta(milliseconds=5)), lambda _: news.set())
        await keeper.begin()
        await kept(keeper, lambda: None, news)

    asyncio.run(run())


def test_a_mistake_is_told_once_and_what_was_there_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ognetboot")
    file = tmp_path / "rooms.toml"
    calls: list[str] = []

    def write() -> Written:
        text = file.read_text()
        calls.append(text)
        if text == "bad":
            raise NetbootError("rooms.toml: line 1 is no TOML", hint="correct it")
        return written()

    async def run() -> None:
        news = asyncio.Event()
        file.write_text("good")
        keeper = Keeper((file,), write, lambda _: news.set())
        await keeper.begin()
        task = asyncio.create_task(keeper.keep())
        file.write_text("bad")
        async with asyncio.timeout(60):
            while "PCs get what they got before." not in caplog.text:
                await asyncio.sleep(0)
        assert not news.is_set()
        file.write_text("better")
        async with asyncio.timeout(60):
            await news.wait()
        task.cancel()

    asyncio.run(run())
    assert calls == ["good", "bad", "better"]
    assert caplog.text.count("line 1 is no TOML") == 1
    assert caplog.text.count("The fault is gone: ") == 1


def test_what_failed_is_tried_again_without_a_change(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tree, "_AGAIN", timedelta(milliseconds=5))
    calls: list[int] = []

    def write() -> Written:
        calls.append(1)
        if len(calls) == 1:
            return written(timedelta(milliseconds=5))
        if len(calls) < 5:
            raise OSError(28, "No space left on device", "/srv")
        return written()

    async def run() -> None:
        news = asyncio.Event()
        keeper = Keeper((), write, lambda _: news.set())
        await keeper.begin()
        await kept(keeper, lambda: None, news)

    asyncio.run(run())
    assert len(calls) == 5
    assert caplog.text.count("No space left on device") == 1


def test_a_clock_that_is_put_back_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What settles with time is settled then, and no time that was awaited comes for a year."""
    year = [2026]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls(year[0], 11, 27, tzinfo=tz)

    monkeypatch.setattr(tree, "datetime", Clock)

    async def run() -> None:
        news = asyncio.Event()
        keeper = Keeper((), written, lambda _: news.set())
        await keeper.begin()
        await kept(keeper, lambda: year.__setitem__(0, 2025), news)

    asyncio.run(run())
