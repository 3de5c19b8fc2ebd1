# SPDX-License-Identifier: GPL-3.0-or-later
"""So many PCs read images at once; the others wait in the order in which they came."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest

from oglib.transfer.http import HttpSource
from oglib.wording import waits
from ogrepo.serving import turns
from ogrepo.serving.turns import READING_S, WAITING_S, Turns, is_image
from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import make_sample

Serve = Callable[..., AbstractContextManager[Repository]]


@dataclass
class Hand:
    """A clock that goes when it is told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def before(queue: Turns, address: str) -> int | None:
    """How many wait before it; None: it had its turn, for one request."""
    queued = queue.enter(address)
    if queued is None:
        queue.end(address)
        return None
    return queued.before


def test_everybody_gets_a_turn_in_the_order_of_arrival() -> None:
    clock = Hand()
    queue = Turns(2, clock=clock)
    assert [before(queue, name) for name in "abcde"] == [None, None, 0, 1, 2]
    assert (queue.reading, queue.waiting) == (2, 3)
    clock.now += READING_S / 2
    assert before(queue, "a") is None
    assert [before(queue, name) for name in "edc"] == [2, 1, 0]
    clock.now += READING_S / 2 + 1  # b asked nothing all the while
    assert [before(queue, name) for name in "edcb"] == [2, 1, None, 2]
    assert [before(queue, name) for name in "ed"] == [1, 0]


def test_a_turn_lasts_while_something_is_sent() -> None:
    clock = Hand()
    queue = Turns(1, clock=clock)
    assert queue.enter("a") is None
    clock.now += 100 * READING_S
    assert before(queue, "b") == 0
    queue.end("a")
    clock.now += READING_S
    assert before(queue, "b") == 0
    clock.now += 1
    assert before(queue, "b") is None


def test_who_went_away_is_not_waited_for() -> None:
    clock = Hand()
    queue = Turns(1, clock=clock)
    assert [before(queue, name) for name in "abc"] == [None, 0, 1]
    clock.now += READING_S + 1
    assert before(queue, "c") == 1  # the turn is kept for b
    clock.now += WAITING_S - READING_S
    assert before(queue, "c") is None
    assert queue.waiting == 0


def test_a_proxy_reads_for_many_and_no_limit_is_none() -> None:
    queue = Turns(1, [ip_network("10.0.0.0/24")])
    assert before(queue, "10.0.1.1") is None
    assert before(queue, "10.0.0.7") is None
    assert before(queue, "10.0.1.2") == 0
    free = Turns(0)
    assert [before(free, str(number)) for number in range(99)] == [None] * 99


def test_no_crowd_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_MOST_WAITING", 3)
    queue = Turns(1, clock=Hand())
    assert [before(queue, name) for name in "abcdefg"] == [None, 0, 1, 2, 3, 3, 3]
    assert queue.waiting == 3


@pytest.mark.parametrize(
    ("asked", "counts"),
    [
        ("images/debian.img", True),
        ("images/lab/debian.img", True),
        ("images/debian.img.ant", True),
        ("images/disk/p1.img", True),
        ("bytes/" + 64 * "a", True),
        ("images/debian.img.json", False),
        ("images/debian.img.json.sig", False),
        ("images/debian.img.frames", False),
        ("images/", False),
        ("oglive/current/root.img", False),
    ],
)
def test_what_describes_an_image_is_free(asked: str, counts: bool) -> None:
    assert is_image(asked) is counts


def test_the_second_pc_waits_on_both_ways(serve: Serve, tmp_path: Path) -> None:
    with serve(at_once=1) as repository:
        sample = make_sample("debian")
        repository.upload(sample, tmp_path)
        path = "/images/debian.img"
        with_first = http.client.HTTPConnection("127.0.0.1", repository.port, timeout=30)
        for _ in range(2):  # the second time the short way
            with_first.request("GET", path)
            assert with_first.getresponse().read() == sample.image
        other = http.client.HTTPConnection(
            "127.0.0.1", repository.port, timeout=30, source_address=("127.0.0.2", 0)
        )
        for _ in range(2):
            other.request("GET", path, headers={"range": "bytes=0-9"})
            answer = other.getresponse()
            assert answer.read().startswith(b'{"error": {"code": 23, ')
            assert answer.status == 503
            assert answer.headers["Retry-After"] == str(turns.AGAIN_S)
        third = repository.ask("GET", path, source="127.0.0.3")
        assert third.status == 503
        assert third.json()["queue"] == {"before": 1}
        assert third.error["message"] == (
            "It is not this PC's turn: the repository lets 1 at a time read images, "
            "and before it wait 1."
        )
        assert repository.ask("HEAD", path, source="127.0.0.3").status == 200
        assert repository.ask("GET", f"{path}.json", source="127.0.0.3").status == 200
        with_first.request("GET", path)
        assert with_first.getresponse().status == 200
        with_first.close()
        other.close()


def test_a_pc_waits_for_its_turn_and_is_told(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source that PCs read by, and the real server."""
    monkeypatch.setattr(turns, "READING_S", 0.0)  # the turn ends with the answer
    told: list[str] = []
    waits.report_to(lambda what, _: told.append(what))
    with serve(at_once=1) as repository:
        sample = make_sample("debian", regions=33)  # more than sockets take on their own
        repository.upload(sample, tmp_path)
        url = f"{repository.base}/images/debian.img"
        first = http.client.HTTPConnection(
            "127.0.0.1", repository.port, timeout=30, source_address=("127.0.0.2", 0)
        )
        first.request("GET", "/images/debian.img")
        assert first.getresponse().status == 200  # and its bytes are not taken

        def second() -> bytes:
            with HttpSource(url, expected_size=len(sample.image)) as source:
                return source.read(5, 10)

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(second)
            repository.logged(" 503 ")
            while not told:
                assert not reading.done()
                time.sleep(0.01)
            first.close()
            assert reading.result(60) == sample.image[5:15]
    waits.report_to(None)
    assert "this PC is the next" in told[0]
