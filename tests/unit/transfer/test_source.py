# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges from servers that die, stall, lie and come back."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from oglib.connection import Connection
from oglib.errors import OgErr, TransferError
from oglib.transfer import patience
from oglib.transfer.client import NoTurnError
from oglib.transfer.http import HttpSource
from oglib.transfer.patience import Patience
from oglib.wording.waits import Wait
from unit.transfer.conftest import Asked, BareServer, Reply, reset, send, send_range

DATA = random.Random(1).randbytes(300_000)
Serve = Callable[[Reply], BareServer]


def good(asked: Asked, peer: socket.socket) -> None:
    send_range(peer, asked, DATA)


def source(server: BareServer, *, stall_s: float = 0.3, deadline_s: float = 1.0) -> HttpSource:
    return HttpSource(
        f"{server.base}/a.img", connection=Connection(stall_s=stall_s, deadline_s=deadline_s)
    )


def after_first(reply: Reply) -> Reply:
    """Measure honestly, then misbehave."""

    def choose(asked: Asked, peer: socket.socket) -> bool | None:
        if asked.number:
            return reply(asked, peer)
        good(asked, peer)
        return None

    return choose


def test_reads_exact_ranges_over_one_connection(serve: Serve) -> None:
    server = serve(good)
    with source(server) as opened:
        assert opened.size_bytes == len(DATA)
        assert opened.describe() == f"{server.base}/a.img"
        for first, length in ((0, 1), (5, 0), (17, 1000), (299_999, 1), (0, 300_000)):
            assert opened.read(first, length) == DATA[first : first + length]
    assert server.connections == 1
    assert all(asked.headers["accept-encoding"] == "identity" for asked in server.asked)


def test_refuses_to_read_past_the_end_without_asking(serve: Serve) -> None:
    server = serve(good)
    with source(server) as opened:
        for first, length in ((0, 300_001), (300_000, 1), (-1, 1), (0, -1)):
            with pytest.raises(TransferError, match="ends at byte 300000"):
                opened.read(first, length)
    assert len(server.asked) == 1


def test_many_threads_have_a_connection_each(serve: Serve) -> None:
    server = serve(good)
    with source(server) as opened, ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda at: opened.read(at, 1000), range(0, 300_000, 1000)))
    assert b"".join(parts) == DATA
    assert 1 <= server.connections <= 8


def test_a_server_that_dies_in_the_body_costs_only_the_rest(serve: Serve) -> None:
    def dies_twice(asked: Asked, peer: socket.socket) -> bool | None:
        if asked.number in (1, 2):
            send_range(peer, asked, DATA, cut=1000)
            return False
        send_range(peer, asked, DATA)
        return None

    server = serve(after_first(dies_twice))
    with source(server) as opened:
        assert opened.read(100, 5000) == DATA[100:5100]
    assert [asked.range for asked in server.asked[1:]] == [(100, 5100), (1100, 5100), (2100, 5100)]


def test_a_reset_connection_is_made_anew(serve: Serve) -> None:
    def resets_once(asked: Asked, peer: socket.socket) -> bool | None:
        if asked.number == 1:
            reset(peer)
            return False
        good(asked, peer)
        return None

    server = serve(after_first(resets_once))
    with source(server) as opened:
        assert opened.read(0, 10) == DATA[:10]


def test_a_kept_connection_closed_meanwhile_is_no_failure(serve: Serve) -> None:
    def once(asked: Asked, peer: socket.socket) -> bool:
        send_range(peer, asked, DATA)
        return False

    server = serve(once)
    with source(server) as opened:
        for _ in range(3):
            assert server.ended.acquire(timeout=10)  # the one before is closed
            assert opened.read(0, 10) == DATA[:10]


def test_a_stall_ends_within_the_deadline_and_says_so(serve: Serve) -> None:
    def stalls(asked: Asked, peer: socket.socket) -> bool:
        send_range(peer, asked, DATA, cut=10 if asked.number == 1 else 0)
        server.released.wait(10)
        return False

    server = serve(after_first(stalls))
    with source(server) as opened:
        started = time.monotonic()
        with pytest.raises(TransferError) as caught:
            opened.read(0, 1000)
    assert time.monotonic() - started < 4
    assert caught.value.code is OgErr.REPO
    assert f"{server.base}/a.img" in caught.value.message
    assert "stopped or only trickles" in caught.value.message
    assert "cable" in caught.value.hint


def test_a_trickle_does_not_go_on_for_ever(serve: Serve) -> None:
    def trickles(asked: Asked, peer: socket.socket) -> bool:
        send_range(peer, asked, DATA, cut=0)
        while not server.released.wait(0.05):
            peer.sendall(b"x")
        return False

    server = serve(after_first(trickles))
    with source(server, deadline_s=0.5) as opened:
        started = time.monotonic()
        with pytest.raises(TransferError, match="trickles"):
            opened.read(0, 10_000)
    assert time.monotonic() - started < 5


def test_a_server_that_is_gone_is_named(serve: Serve) -> None:
    server = serve(good)
    with source(server, deadline_s=0.5) as opened:
        server.close()
        with pytest.raises(TransferError, match="onnection"):
            opened.read(0, 10)


def test_a_server_that_comes_back_is_used_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, refused, real = serve(good), threading.Event(), Patience.next_delay

    def counted(patience: Patience, at_least_s: float = 0.0) -> float | None:
        refused.set()
        return real(patience, at_least_s)

    monkeypatch.setattr(Patience, "next_delay", counted)
    with source(server, deadline_s=10) as opened, ThreadPoolExecutor(1) as pool:
        server.close()
        reading = pool.submit(opened.read, 0, 10)
        assert refused.wait(10)  # it has asked in vain
        again = socket.create_server(("127.0.0.1", server.port), reuse_port=False)
        with again:
            peer, _ = again.accept()
            with peer:
                peer.recv(4096)
                send_range(
                    peer,
                    server.asked[0].__class__("GET", "/", {"range": "bytes=0-9"}, b"", 0),
                    DATA,
                )
                assert reading.result(10) == DATA[:10]


def page(peer: socket.socket, status: str = "200 OK") -> None:
    send(peer, status, b"<html>sign in</html>", content_type="text/html")


@pytest.mark.parametrize(
    ("why", "reply"),
    [
        ("instead of a range", lambda _, peer: page(peer)),
        ("instead of a range", lambda _, peer: send(peer, "200 OK", DATA)),
        ("instead of a range", lambda _, peer: send(peer, "200 OK", DATA, etag='"v2"')),
        ("403 Forbidden", lambda _, peer: page(peer, "403 Forbidden")),
        (
            "302 Found to http://x/",
            lambda _, peer: send(peer, "302 Found", location="http://x/"),
        ),
        ("replaced", lambda _, peer: send(peer, "412 Precondition Failed")),
        ("replaced", lambda asked, peer: send_range(peer, asked, DATA, etag='"v2"')),
        ("replaced", lambda asked, peer: send_range(peer, asked, DATA + b"x")),
        (
            "bytes 5-14/300000",
            lambda _, peer: send(
                peer, "206 OK", DATA[5:15], content_range="bytes 5-14/300000", etag='"v1"'
            ),
        ),
        (
            "length 9",
            lambda _, peer: send(
                peer, "206 OK", DATA[:9], content_range="bytes 0-9/300000", etag='"v1"'
            ),
        ),
        ("answered with ''", lambda _, peer: send(peer, "206 OK", DATA[:10], etag='"v1"')),
        (
            "encoding gzip",
            lambda _, peer: send(
                peer,
                "206 OK",
                DATA[:10],
                content_range="bytes 0-9/300000",
                content_encoding="gzip",
                etag='"v1"',
            ),
        ),
    ],
)
def test_a_wrong_answer_is_refused_at_once(serve: Serve, why: str, reply: Reply) -> None:
    server = serve(after_first(reply))
    with source(server) as opened, pytest.raises(TransferError, match=why) as caught:
        opened.read(0, 10)
    assert len(server.asked) == 2
    assert caught.value.hint


def test_the_first_answer_is_held_to_the_same(serve: Serve) -> None:
    for reply in (lambda _, peer: page(peer), lambda _, peer: page(peer, "403 Forbidden")):
        server = serve(reply)
        with pytest.raises(TransferError):
            source(server)
        assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(serve: Serve) -> None:
    def busy_first(asked: Asked, peer: socket.socket) -> None:
        if asked.number < 2:
            send(peer, "503 Service Unavailable", retry_after="0")
        else:
            send_range(peer, asked, DATA)

    server = serve(busy_first)
    with source(server, deadline_s=10) as opened:
        assert opened.read(1, 9) == DATA[1:10]


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_was_there_is_asked_for_again_before_its_absence_is_believed(
    serve: Serve, status: str
) -> None:
    def gone_three_times(asked: Asked, peer: socket.socket) -> None:
        if 1 <= asked.number <= 3:
            send(peer, status)
        else:
            good(asked, peer)

    server = serve(gone_three_times)
    with source(server, deadline_s=30) as opened:
        assert opened.read(5, 9) == DATA[5:14]
    assert len(server.asked) == 5


def test_what_stays_away_is_believed_in_the_end(serve: Serve) -> None:
    server = serve(after_first(lambda _, peer: send(peer, "404 Not Found")))
    with (
        source(server, deadline_s=1.0) as opened,
        pytest.raises(TransferError, match="it was there, and now the server says 404") as caught,
    ):
        opened.read(0, 10)
    assert caught.value.code is OgErr.NOTFOUND
    assert "removed or replaced" in caught.value.hint
    assert len(server.asked) > 3


def test_nonsense_instead_of_http_is_an_error_and_not_a_crash(serve: Serve) -> None:
    def nonsense(_: Asked, peer: socket.socket) -> bool:
        peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n" * 20)
        return False

    server = serve(nonsense)
    with pytest.raises(TransferError, match="makes no sense"):
        source(server, deadline_s=0.3)


def test_an_empty_file_has_no_first_byte(serve: Serve) -> None:
    server = serve(
        lambda _, peer: send(peer, "416 Range Not Satisfiable", content_range="bytes */0")
    )
    with source(server) as opened:
        assert opened.size_bytes == 0
        assert opened.read(0, 0) == b""


def test_an_unexpected_size_is_refused_at_once(serve: Serve) -> None:
    server = serve(good)
    with pytest.raises(TransferError, match="300000 bytes instead of 300001") as caught:
        HttpSource(f"{server.base}/a.img", expected_size=300_001)
    assert caught.value.code is OgErr.IMAGE


def test_close_wakes_a_reader(serve: Serve) -> None:
    waiting = threading.Event()

    def stalls(asked: Asked, peer: socket.socket) -> bool:
        send_range(peer, asked, DATA, cut=10)
        waiting.set()
        server.released.wait(10)
        return False

    server = serve(after_first(stalls))
    opened = source(server, stall_s=10, deadline_s=20)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(opened.read, 0, 1000)
        assert waiting.wait(5)
        opened.close()
        with pytest.raises(TransferError, match="was closed"):
            reading.result(5)
    with pytest.raises(TransferError, match="was closed"):
        opened.read(0, 1)


def test_a_weak_tag_is_no_promise_but_the_size_is(serve: Serve) -> None:
    server = serve(lambda asked, peer: send_range(peer, asked, DATA, etag='W/"v1"'))
    with source(server) as opened:
        assert opened.read(0, 10) == DATA[:10]
    assert "if-match" not in server.asked[1].headers


def test_later_reads_insist_on_the_same_file(serve: Serve) -> None:
    server = serve(good)
    with source(server) as opened:
        opened.read(0, 10)
    assert server.asked[1].headers["if-match"] == '"v1"'


# ---- a turn --------------------------------------------------------------------------------------


def in_turn(*before: int) -> Reply:
    """So many PCs are before this one, at each attempt; then it is its turn."""
    left = list(before)

    def reply(asked: Asked, peer: socket.socket) -> None:
        if not left:
            return good(asked, peer)
        error = {"code": 23, "message": "It is not this PC's turn.", "hint": "Wait."}
        body = json.dumps({"error": error, "queue": {"before": left.pop(0)}}).encode()
        send(peer, "503 Busy", body, content_type="application/json", retry_after="0")
        return None

    return reply


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_FIRST_TURN_S", 0.0)


@pytest.mark.usefixtures("no_pause")
def test_a_turn_is_waited_for_whatever_the_deadline_is(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Wait, "what", property(lambda _: "", lambda _, text: told.append(text)))
    server = serve(in_turn(3, 1, 0))
    with source(server, deadline_s=0.0) as opened:
        assert opened.read(0, 10) == DATA[:10]
    where = server.base.removeprefix("http://")
    assert [text.removeprefix(f"its turn at {where}: ") for text in told if "turn" in text] == [
        "3 PCs before this one",
        "1 PC before this one",
        "this PC is the next",
    ]


@pytest.mark.usefixtures("no_pause")
def test_a_turn_is_not_waited_for_for_ever(serve: Serve) -> None:
    server = serve(in_turn(*[7] * 1000))
    with pytest.raises(NoTurnError, match="7 PCs wait before this one"):
        HttpSource(f"{server.base}/a.img", connection=Connection(queue_s=0.0))
    assert len(server.asked) == 1


def test_who_waits_asks_about_as_often_as_the_server_says() -> None:
    dice = iter((0.0, 1.0, 0.5, 0.5))
    waits = Patience(60, dice=lambda: next(dice))
    assert [waits.turn_delay(said) for said in (4, 4, 0, 600)] == [4.0, 5.0, 1.125, 22.5]


@pytest.mark.parametrize("queue", ['"many"', "{}", '{"before": -1}', '{"before": "3"}', "[1]"])
def test_a_queue_that_makes_no_sense_is_none(serve: Serve, queue: str) -> None:
    def reply(asked: Asked, peer: socket.socket) -> None:
        if asked.number:
            return good(asked, peer)
        body = f'{{"error": {{"code": 23, "message": "Busy."}}, "queue": {queue}}}'.encode()
        send(peer, "503 Busy", body, content_type="application/json")
        return None

    with source(serve(reply)) as opened:
        assert opened.read(0, 10) == DATA[:10]
