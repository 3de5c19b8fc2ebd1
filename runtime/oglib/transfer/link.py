# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP connections to one server: how they are tuned, kept alive, shared and cut.

A pool hands each thread a connection of its own and takes it back when the answer was read to
its end. What is asked and what an answer means is not known here.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PROBE_AFTER_S = 5
_PROBE_EVERY_S = 3
_PROBE_COUNT = 3


def notice_a_dead_peer(sock: socket.socket, within_s: float) -> None:
    """Make the kernel end a connection whose peer or cable is gone, also while we only send.

    Without these a sender waits a quarter of an hour for acknowledgements, a reader for ever.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_EVERY_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBE_COUNT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(within_s * 1000))


class Link(http.client.HTTPConnection):
    """One keep-alive connection; ``used`` once it carried an answer."""

    def __init__(self, host: str, port: int, stall_s: float) -> None:
        super().__init__(host, port, timeout=stall_s)
        self.stall_s = stall_s
        self.used = False
        self._raw: socket.socket | None = None

    def connect(self) -> None:
        super().connect()
        self._raw = self.sock
        notice_a_dead_peer(self.sock, self.stall_s)

    def patience(self, seconds: float) -> None:
        """No single wait on this connection may take longer than this."""
        self.timeout = seconds
        if self._raw is not None:
            with contextlib.suppress(OSError):
                self._raw.settimeout(seconds)

    def cut(self) -> None:
        """End the connection from another thread: whoever waits on it wakes up at once."""
        if self._raw is not None:
            with contextlib.suppress(OSError):
                self._raw.shutdown(socket.SHUT_RDWR)


class LinkPool:
    """Connections to one server, as many as threads ask for at a time."""

    def __init__(self, host: str, port: int, stall_s: float) -> None:
        self._host = host
        self._port = port
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._idle: list[Link] = []
        self._busy: set[Link] = set()
        self.closed = threading.Event()

    @contextmanager
    def link(self) -> Iterator[Link]:
        """A connection for one exchange. The exchange must end with the answer read whole;
        a block that fails loses its connection, because nobody knows what is still on it."""
        with self._lock:
            link = self._idle.pop() if self._idle else Link(self._host, self._port, self._stall_s)
            self._busy.add(link)
        try:
            yield link
        except BaseException:
            self._release(link, keep=False)
            raise
        self._release(link, keep=link.sock is not None)

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
