# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on a bare socket that a test tells how to misbehave."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    number: int

    @property
    def range(self) -> tuple[int, int]:
        first, _, last = self.headers["range"].removeprefix("bytes=").partition("-")
        return int(first), int(last) + 1


Reply = Callable[[Asked, socket.socket], bool | None]


@dataclass
class BareServer:
    """Answers each request by ``reply``; a reply that returns False ends its connection.

    With ``secured`` it speaks TLS.
    """

    reply: Reply
    secured: ssl.SSLContext | None = None
    greet: Callable[[socket.socket], None] = lambda _: None  # before anything is read
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self.released = threading.Event()
        self.ended = threading.Semaphore(0)  # one for each connection that was closed
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.append(peer)
            threading.Thread(target=self._converse, args=(peer,), daemon=True).start()

    def _converse(self, peer: socket.socket) -> None:
        try:
            self._answer(peer)
        finally:
            self.ended.release()

    def _answer(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(peer)
            self.greet(peer)
            if self.secured is not None:
                peer = stack.enter_context(self.secured.wrap_socket(peer, server_side=True))
            stream = stack.enter_context(peer.makefile("rb"))
            while line := stream.readline():
                method, target, _ = line.decode().split()
                headers = {}
                while (text := stream.readline().decode().strip()) != "":
                    name, _, value = text.partition(":")
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", "0")))
                with self._lock:
                    asked = Asked(method, target, headers, body, len(self.asked))
                    self.asked.append(asked)
                if self.reply(asked, peer) is False:
                    return

    def close(self) -> None:
        self.released.set()
        # A thread that sits in accept() is woken by this, not by close().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._open:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)


def send(peer: socket.socket, status: str, body: bytes = b"", **headers: str) -> None:
    """A whole answer; keyword ``content_type`` becomes ``Content-Type``."""
    headers.setdefault("content_length", str(len(body)))
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    peer.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def send_range(
    peer: socket.socket, asked: Asked, data: bytes, *, cut: int | None = None, etag: str = '"v1"'
) -> None:
    """The range asked for, or only the first ``cut`` bytes of it."""
    first, stop = asked.range
    body = data[first:stop]
    send(
        peer,
        "206 Partial Content",
        body[:cut],
        content_length=str(len(body)),
        content_range=f"bytes {first}-{stop - 1}/{len(data)}",
        etag=etag,
    )


def reset(peer: socket.socket) -> None:
    """End a connection the hard way: the other side gets RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], BareServer]]:
    """Start a server for a reply; all are closed at the end."""
    started: list[BareServer] = []

    def start(reply: Reply) -> BareServer:
        started.append(BareServer(reply))
        return started[-1]

    yield start
    for server in started:
        server.close()
