# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP connections to one server: how they are tuned, kept alive, shared and cut.

A pool hands each thread a connection of its own and takes it back when the answer was read to
its end. Every wait on one ends with the exchange's ``Pace``, whatever the peer drips meanwhile, and
what surrounds the data of an answer has a bound. What is asked and what an answer means is not
known here.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from oglib.connection import Connection
from oglib.transfer import tls
from oglib.transfer.address import HttpAddress
from oglib.transfer.patience import Pace

_PROBE_AFTER_S = 5
_PROBE_EVERY_S = 3
_PROBE_COUNT = 3
MOST_AROUND_BYTES = 64 << 10


def notice_a_dead_peer(sock: socket.socket, within_s: float) -> None:
    """Make the kernel end a connection whose peer or cable is gone, also while we only send.

    Without these a sender waits a quarter of an hour for acknowledgements, a reader for ever.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_EVERY_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBE_COUNT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(within_s * 1000))


class OutOfTime(TimeoutError):
    """The exchange has used up its time; the text says on what."""


class TooMuchAround(http.client.HTTPException):
    """An answer whose header lines, chunk lines or trailers have no end."""


class Wire:
    """One connected socket and its pace, in the shape that http.client wants of a socket."""

    def __init__(self, sock: socket.socket, pace: Pace) -> None:
        self._sock = sock
        self._pace = pace
        self.begin()

    def begin(self) -> None:
        """Another step of the exchange; of its answer nothing has come."""
        self._around = self._came = 0

    def took(self, count: int) -> None:
        """``count`` bytes of what was read were data."""
        self._around = 0
        self._pace.moved(count)

    def makefile(self, _mode: str) -> io.BufferedReader:
        # The socket's own file counts its users, so that closing the one keeps the other open.
        return io.BufferedReader(_Stream(self, self._sock.makefile("rb", buffering=0)))

    def hear(self, file: io.RawIOBase, room: Any) -> int | None:
        """What the peer sends next, into ``room``."""
        if self._around > MOST_AROUND_BYTES:
            raise TooMuchAround(f"got more than {MOST_AROUND_BYTES >> 10} KiB around its data")
        try:
            self._sock.settimeout(self._left())
            count = file.readinto(room)
        except TimeoutError:
            nothing = f"nothing came for {self._pace.span_s:.2g} s"
            some = f"the answer stopped or only trickles after {self._came} bytes"
            raise OutOfTime(some if self._came else nothing) from None
        self._around += count or 0
        self._came += count or 0
        return count

    def sendall(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        while view:
            try:
                self._sock.settimeout(self._left())
                sent = self._sock.send(view)
            except TimeoutError:
                raise OutOfTime("the server does not take the request") from None
            self._pace.moved(sent)
            view = view[sent:]

    def _left(self) -> float:
        """For the next call on the socket; even a flood without data uses it up."""
        left = self._pace.left_s
        if left <= 0:
            raise TimeoutError
        return left

    def cut(self) -> None:
        """End it from another thread: whoever waits on it wakes up at once."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # TLS has no say in this

    def close(self) -> None:
        self._sock.close()


class _Stream(io.RawIOBase):
    """The stream of what a peer sends."""

    def __init__(self, wire: Wire, file: io.RawIOBase) -> None:
        super().__init__()
        self._wire = wire
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any, /) -> int | None:
        return self._wire.hear(self._file, room)

    def close(self) -> None:
        self._file.close()
        super().close()


class Link(http.client.HTTPConnection):
    """One keep-alive connection; ``used`` once it carried an answer. ``demands`` None: no TLS."""

    def __init__(
        self, address: HttpAddress, connection: Connection, demands: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(address.host, address.port)
        self.pace = Pace(connection.stall_s, rate=connection.slowest_rate)
        self.used = False
        self._stall_s = connection.stall_s
        self._demands = demands
        self._wire: Wire | None = None

    def connect(self) -> None:
        sock = _connected(self.host, self.port, self.pace)
        try:
            notice_a_dead_peer(sock, self._stall_s)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._demands is not None:
                sock.settimeout(max(0.001, self.pace.left_s))  # of the handshake as a whole
                sock = tls.secured(sock, self.host, self._demands)
        except TimeoutError:
            sock.close()
            raise OutOfTime(f"no TLS within {self.pace.span_s:.2g} s") from None
        except BaseException:
            sock.close()
            raise
        self._wire = Wire(sock, self.pace)
        self.sock = cast(socket.socket, self._wire)
        self.pace.begin(self.pace.span_s)

    def begin(self, span_s: float) -> None:
        """The next step of the exchange (sending, the answer's header) ends within this."""
        self.pace.begin(span_s)
        if self._wire is not None:
            self._wire.begin()

    def took(self, count: int) -> None:
        """``count`` bytes of data came."""
        if self._wire is not None:
            self._wire.took(count)

    def cut(self) -> None:
        """End the connection from another thread: whoever waits on it wakes up at once."""
        if self._wire is not None:
            self._wire.cut()


def _connected(host: str, port: int, pace: Pace) -> socket.socket:
    """A connection to any address of ``host``; those that are left share the time that is left."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    refused: OSError = OSError(f"{host} has no address")
    for number, (family, kind, protocol, _, where) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.001, pace.left_s / (len(found) - number)))
            sock.connect(where)
        except OSError as error:
            sock.close()
            late = f"no connection within {pace.span_s:.2g} s"
            refused = OutOfTime(late) if isinstance(error, TimeoutError) else error
            continue
        except BaseException:
            sock.close()
            raise
        return sock
    raise refused


class LinkPool:
    """Connections to one server, as many as threads ask for at a time."""

    def __init__(self, address: HttpAddress, connection: Connection) -> None:
        self._address = address
        self._connection = connection
        self._demands: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: list[Link] = []
        self._busy: set[Link] = set()
        self.closed = threading.Event()

    @contextmanager
    def link(self) -> Iterator[Link]:
        """A connection for one exchange. The exchange must end with the answer read whole;
        a block that fails loses its connection, because nobody knows what is still on it."""
        with self._lock:
            link = self._idle.pop() if self._idle else self._new()
            self._busy.add(link)
        try:
            yield link
        except BaseException:
            self._release(link, keep=False)
            raise
        self._release(link, keep=link.sock is not None)

    def _new(self) -> Link:
        if self._address.secure and self._demands is None:
            self._demands = tls.context(self._connection.ca_file)
        return Link(self._address, self._connection, self._demands)

    def _release(self, link: Link, *, keep: bool) -> None:
        with self._lock:
            self._busy.discard(link)
            if keep and not self.closed.is_set():
                link.used = True
                self._idle.append(link)
                return
        link.close()

    def drop_idle(self) -> None:
        """Forget connections that are kept: the server may have restarted meanwhile."""
        with self._lock:
            idle, self._idle = self._idle, []
        for link in idle:
            link.close()

    def close(self) -> None:
        """Close every connection; threads that wait on one fail at once."""
        self.closed.set()
        self.drop_idle()
        with self._lock:
            busy = tuple(self._busy)
        for link in busy:
            link.cut()
