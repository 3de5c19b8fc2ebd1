# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes into sockets that are full: what befalls one transfer is not the others'."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ogrepo.serving.files import OpenFile, Part
from ogrepo.serving.outlet import Outlet, Transfer

SIZE = 4 << 20


@pytest.fixture
def source(tmp_path: Path) -> OpenFile:
    (path := tmp_path / "file").write_bytes(bytes(SIZE))
    return OpenFile(os.open(path, os.O_RDONLY), (0, 0))


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def start(
    outlet: Outlet, sock: socket.socket, source: OpenFile, done: Callable[[bool], None]
) -> None:
    Transfer(outlet, sock, b"head", source, Part(200, 0, SIZE), done).go()


async def read_all(sock: socket.socket) -> int:
    loop, count = asyncio.get_running_loop(), 0
    while count < SIZE + 4:
        count += len(await loop.sock_recv(sock, 1 << 20))
    return count


def test_one_that_fails_takes_no_event_from_the_others(source: OpenFile) -> None:
    async def story() -> tuple[list[bool], list[object]]:
        told: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        outlet, ended = Outlet(), asyncio.Event()
        (bad, bad_reader), (good, good_reader) = pair(), pair()
        results: list[bool] = []

        def fails(_whole: bool) -> None:
            raise ZeroDivisionError

        def ends(whole: bool) -> None:
            results.append(whole)
            ended.set()

        start(outlet, bad, source, fails)
        start(outlet, good, source, ends)
        bad_reader.close()  # both are told in one turn
        reading = asyncio.create_task(read_all(good_reader))
        await asyncio.wait_for(ended.wait(), 30)
        assert await reading == SIZE + 4
        outlet.close()
        return results, told

    results, told = asyncio.run(story())
    assert results == [True]
    assert [type(one) for one in told] == [ZeroDivisionError]


def test_a_socket_that_cannot_be_watched_ends_its_answer(source: OpenFile) -> None:
    class Full:
        def register(self, _number: int, _events: int) -> None:
            raise OSError(errno.ENOSPC, "no more watches")

    async def story() -> list[bool]:
        outlet, results = Outlet(), list[bool]()
        real, outlet._epoll = outlet._epoll, Full()  # type: ignore[assignment]
        ours, theirs = pair()
        start(outlet, ours, source, results.append)
        theirs.close()
        outlet._epoll = real
        outlet.close()
        return results

    assert asyncio.run(story()) == [False]
