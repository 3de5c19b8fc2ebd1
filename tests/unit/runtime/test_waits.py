# SPDX-License-Identifier: GPL-3.0-or-later
"""What is waited for is said after two seconds, not before, and not when it is over."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from oglib.connection import Connection
from oglib.transfer.http import fetch
from oglib.wording import waits
from oglib.wording.waits import AFTER_S, Watch


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def watch(told: list[str]) -> Watch:
    made = Watch()
    made.report_to(lambda what, seconds: told.append(f"{what} {seconds:.0f}"))
    return made


def test_a_wait_is_told_after_two_seconds_and_then_rarely(watch: Watch, told: list[str]) -> None:
    wait, began = watch.begin("the server"), time.monotonic()
    watch.check(began + AFTER_S - 0.5)
    assert told == []
    watch.check(began + 3)
    watch.check(began + 4)
    assert told == ["the server 3"]
    watch.check(began + 30)
    assert told == ["the server 3", "the server 30"]
    watch.end(wait)
    watch.check(began + 90)
    assert len(told) == 2


def test_a_sign_of_life_begins_the_two_seconds_anew(watch: Watch, told: list[str]) -> None:
    wait = watch.begin("the server")
    wait.moved()
    watch.check(time.monotonic() + AFTER_S - 0.5)
    assert told == []


def test_many_waits_for_one_server_are_told_once(watch: Watch, told: list[str]) -> None:
    for _ in range(20):
        watch.begin("the server")
    watch.check(time.monotonic() + 5)
    assert told == ["the server 5"]


def test_a_server_that_does_not_answer_is_named_while_it_is_waited_for() -> None:
    named, said = threading.Event(), list[str]()

    def tell(what: str, _seconds: float) -> None:
        said.append(what)
        named.set()

    def answer_late() -> None:
        link, _ = server.accept()
        with link:
            link.recv(4096)
            assert named.wait(60)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    waits.report_to(tell)
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            serving = threading.Thread(target=answer_late)
            serving.start()
            address = f"127.0.0.1:{server.getsockname()[1]}"
            assert (
                fetch(
                    f"http://{address}/x",
                    limit_bytes=10,
                    connection=Connection(stall_s=90, deadline_s=90),
                )
                == b"ok"
            )
            serving.join()
    finally:
        waits.report_to(None)
    assert said == [f"{address} to answer"]
