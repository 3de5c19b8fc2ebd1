# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that would hold a PC for ever or fill its memory: each has an end, and a true sentence.

The deadlines are those of the product, made small. Whatever drips here drips until the test is
over, so a reader without an absolute deadline never comes back. Nothing here asks for speed: on a
slow machine the wait is longer.
"""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oglib.connection import Connection
from oglib.errors import TransferError
from oglib.transfer.http import HttpSource, fetch
from oglib.transfer.upload import HttpUploadSink
from unit.transfer.conftest import Asked, BareServer, Reply, send

Serve = Callable[[Reply], BareServer]
Hostile = Callable[[Callable[[bytes], None]], None]

STALL_S, DEADLINE_S = 0.2, 0.3
BRIEF = Connection(stall_s=STALL_S, deadline_s=DEADLINE_S)
HANG_S = 30.0  # far more than both: whoever needs this hangs
LIMIT = 1000
MIB = 1 << 20

SLOW = r"stopped or only trickles after \d+ bytes|nothing came for"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def dripping(begin: bytes, drop: bytes = b"x") -> Hostile:
    """``begin`` at once, then ``drop`` again and again, byte by byte, without an end."""

    def answer(put: Callable[[bytes], None]) -> None:
        put(begin)
        while True:
            for byte in drop:
                put(bytes((byte,)))
                time.sleep(0.005)

    return answer


def flooding(begin: bytes, drop: bytes) -> Hostile:
    """``begin``, then ``drop`` as fast as it goes, without an end."""

    def answer(put: Callable[[bytes], None]) -> None:
        put(begin)
        while True:
            put(drop * max(1, (64 << 10) // len(drop)))

    return answer


def once(data: bytes) -> Hostile:
    """``data`` and then silence."""

    def answer(put: Callable[[bytes], None]) -> None:
        put(data)
        while True:
            time.sleep(0.05)
            put(b"")

    return answer


ANSWERS: dict[str, tuple[Hostile, str]] = {
    # what has no end in time
    "silence": (once(b""), SLOW),
    "a status line byte by byte": (dripping(b"", b"HTTP/1.1 200 " + b"x" * 60_000), SLOW),
    "header lines byte by byte": (dripping(OK, b"X-A: b\r\n"), SLOW),
    "one header line byte by byte": (dripping(OK + b"X-A: ", b"b"), SLOW),
    "100 Continue byte by byte": (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), SLOW),
    "a header that stops": (once(OK + b"Content-Length: 5\r\n"), SLOW),
    "a body byte by byte": (dripping(OK + b"Content-Length: 900\r\n\r\n"), SLOW),
    "a body that stops": (once(OK + b"Content-Length: 900\r\n\r\nabc"), SLOW),
    "a body without a length, byte by byte": (dripping(OK + b"\r\n"), SLOW),
    "a body without a length that stops": (once(OK + b"\r\nabc"), SLOW),
    "a chunk's size byte by byte": (dripping(CHUNKED, b"0"), SLOW),
    "a chunk extension byte by byte": (dripping(CHUNKED + b"5;", b"x"), SLOW),
    "a chunk byte by byte": (dripping(CHUNKED + b"384\r\n"), SLOW),
    "chunks of one byte, slowly": (dripping(CHUNKED, b"1\r\nx\r\n"), SLOW),
    "trailers byte by byte": (dripping(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n"), SLOW),
    "one trailer byte by byte": (dripping(CHUNKED + b"0\r\nX-A: ", b"b"), SLOW),
    "an error's text byte by byte": (
        dripping(b"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\n\r\n", b" "),
        "answered 503 Busy|nothing came for",
    ),
    "a refusal's text byte by byte": (
        dripping(b"HTTP/1.1 403 No\r\nContent-Type: application/json\r\n\r\n", b" "),
        "answered with 403 No",
    ),
    # what has no end in size
    "100 Continue without an end": (
        flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "makes no sense: got more than 64 KiB around its data",
    ),
    "a status line without an end": (
        flooding(b"HTTP/1.1 200 ", b"x"),
        "makes no sense: got more than 6",
    ),
    "a header line without an end": (
        flooding(OK + b"X-A: ", b"b"),
        "makes no sense: got more than 6",
    ),
    "header lines without an end": (
        flooding(OK, b"X-A: b\r\n"),
        "makes no sense: got more than 100 headers",
    ),
    "long header lines without an end": (
        flooding(OK, b"X-A: " + b"b" * 4000 + b"\r\n"),
        "makes no sense: got more than 64 KiB around its data",
    ),
    "a chunk extension without an end": (
        flooding(CHUNKED + b"5;", b"x"),
        "makes no sense: got more than 6|connection ended in the middle",
    ),
    "trailers without an end": (
        flooding(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n"),
        "makes no sense: got more than 64 KiB around its data",
    ),
    "a body without an end": (flooding(OK + b"\r\n", b"x"), "longer than the 1000 bytes"),
    "chunks without an end": (flooding(CHUNKED, b"1\r\nx\r\n"), "longer than the 1000 bytes"),
    "a chunk of an exabyte": (
        flooding(CHUNKED + b"1000000000000000\r\n", b"x"),
        "longer than the 1000 bytes",
    ),
    "a chunk of fewer than no bytes": (
        flooding(CHUNKED + b"-5\r\n", b"x"),
        "longer than the 1000 bytes|ended in the middle",
    ),
    "a body announced with a petabyte": (
        once(OK + b"Content-Length: 1000000000000000\r\n\r\n"),
        "longer than the 1000 bytes",
    ),
    # what is no answer
    "another protocol": (once(b"SSH-2.0-OpenSSH_9.2\r\n"), "makes no sense: SSH-2.0"),
    "noughts": (flooding(b"", b"\0"), "makes no sense: got more than 6"),
    "a later version of HTTP": (once(b"HTTP/9.9 200 OK\r\n\r\n"), "makes no sense: HTTP/9.9"),
}  # fmt: skip


def answering(answer: Hostile) -> Reply:
    def reply(_: Asked, peer: socket.socket) -> bool:
        peer.settimeout(HANG_S)
        answer(peer.sendall)
        return False

    return reply


@pytest.fixture
def stopped() -> Iterator[list[float]]:
    """Fails where something took as long as a reader that has no deadline."""
    began = time.monotonic()
    yield []
    assert time.monotonic() - began < HANG_S


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("name", ANSWERS)
def test_a_hostile_answer_has_an_end(serve: Serve, name: str) -> None:
    answer, sentence = ANSWERS[name]
    server = serve(answering(answer))
    with pytest.raises(TransferError, match=sentence) as caught:
        fetch(
            f"{server.base}/a",
            limit_bytes=LIMIT,
            connection=BRIEF,
        )
    assert server.base in caught.value.message
    assert caught.value.hint


def test_the_table_is_long_enough() -> None:
    assert len(ANSWERS) >= 20


RANGES: dict[str, tuple[Callable[[bytes, int], Hostile], str]] = {
    "a range byte by byte": (
        lambda head, size: dripping(head + f"Content-Length: {size}\r\n\r\n".encode()),
        SLOW,
    ),
    "a range's header byte by byte": (lambda head, _: dripping(head, b"X-A: b\r\n"), SLOW),
    "a range without a length": (lambda head, _: once(head + b"\r\n"), "length None"),
    "a range in chunks": (
        lambda head, _: once(head + b"Transfer-Encoding: chunked\r\n\r\n"),
        "length None",
    ),
    "a range of a petabyte": (
        lambda head, _: once(head + b"Content-Length: 1000000000000000\r\n\r\n"),
        "length 1000000000000000",
    ),
}


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("name", RANGES)
def test_a_hostile_range_has_an_end(serve: Serve, name: str) -> None:
    answer, sentence = RANGES[name]
    size = 1 << 20

    def reply(asked: Asked, peer: socket.socket) -> bool | None:
        first, stop = asked.range
        if not asked.number:
            send(peer, "206 OK", b"x", content_range=f"bytes 0-0/{size}")
            return None
        head = f"HTTP/1.1 206 OK\r\nContent-Range: bytes {first}-{stop - 1}/{size}\r\n"
        return answering(answer(head.encode(), stop - first))(asked, peer)

    with (
        HttpSource(f"{serve(reply).base}/a", connection=BRIEF) as source,
        pytest.raises(TransferError, match=sentence),
    ):
        source.read(0, size)


@pytest.mark.usefixtures("stopped")
def test_a_server_that_does_not_take_an_upload_has_an_end() -> None:
    """Its kernel takes what its buffers hold; the rest waits for somebody who never reads."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one() -> None:
            first = True
            while not over.is_set():
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    if first:
                        peer.recv(1 << 16)
                        send(peer, "200 OK", b'{"upload": "abc"}', content_type="application/json")
                        first = False
                        peer.settimeout(HANG_S)
                    over.wait(HANG_S)

        thread = threading.Thread(target=serve_one, daemon=True)
        thread.start()
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sink = HttpUploadSink(
            base,
            "x",
            "t" * 20,
            connection=BRIEF,
            piece_bytes=32 * MIB,
        )
        try:
            with pytest.raises(TransferError, match="Sending to"):
                sink.write(bytes(32 * MIB))
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(HANG_S)


def test_no_flood_fills_the_memory(serve: Serve) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("header lines without an end", "a body without an end", "noughts"):
        server = serve(answering(ANSWERS[name][0]))
        with pytest.raises(TransferError):
            fetch(
                server.base,
                limit_bytes=LIMIT,
                connection=BRIEF,
            )
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 16 << 10


def test_a_frame_table_that_only_says_where_to_cut_is_not_worth_all_memory(
    serve: Serve, tmp_path: Path
) -> None:
    def huge(asked: Asked, peer: socket.socket) -> None:
        if asked.method == "POST":
            send(peer, "200 OK", b'{"upload": "abc"}', content_type="application/json")
        else:
            send(peer, "206 OK", b"x", content_range=f"bytes 0-0/{4 << 30}")

    server = serve(huge)
    sink = HttpUploadSink(server.base, "x", "t" * 20, connection=BRIEF)
    assert sink.frames_before(tmp_path) is None
    assert [asked.method for asked in server.asked] == ["POST", "GET"]
    assert list(tmp_path.iterdir()) == []
