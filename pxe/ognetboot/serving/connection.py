# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in, and how long he may take to ask: one address holds only so many connections, and a
request's header must be there within seconds, however its bytes drip in."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from aiohttp import web

from ognetboot.serving.places import Places

HEADER_S = 10.0
_IDLE_S = 15.0
# Who takes nothing of an answer for so long is gone: the kernel ends it, also where the other side
# says again and again that it has no room.
_STALLED_S = 60
_LATER = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)
LOG = logging.getLogger("ognetboot")
_SILENT = logging.getLogger("ognetboot.http")
# Whatever is written there quotes requests, and some hold a password.
_SILENT.setLevel(logging.CRITICAL + 1)


class Connection(web.RequestHandler):
    """One connection of a PC."""

    __slots__ = ("_address", "_deadline", "_places", "_seated", "_told")

    def __init__(self, server: web.Server, places: Places) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=_SILENT,
            access_log=_SILENT,
            keepalive_timeout=_IDLE_S,
            lingering_time=2.0,
            auto_decompress=False,
        )
        self._places = places
        self._address = ""
        self._seated = self._told = False
        self._deadline = self._loop.call_later(HEADER_S, self._too_late)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_S * 1000)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        self._seated = self._places.enter(self._address)
        self._told = not self._seated and self._places.turn_away()
        if not self._seated and not self._told:
            self._too_late()

    def begin(self) -> None:
        """A request's header is whole; how long the next one takes is aiohttp's to watch."""
        self._deadline.cancel()

    def _too_late(self) -> None:
        self.force_close()

    def data_received(self, data: bytes) -> None:
        if self._seated:
            super().data_received(data)
        elif isinstance(self.transport, asyncio.Transport):
            # Only now: an answer to what was not read yet would be lost with it.
            self.transport.write(_LATER)
            self._too_late()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what the other side sent
    ) -> web.StreamResponse:
        """What is no HTTP is told so by a number alone; a fault of ours goes into the log."""
        if status >= 500:
            LOG.error("A request of %s failed.", self._address, exc_info=exc)
        answer = web.Response(status=status)
        answer.force_close()
        return answer

    def connection_lost(self, exc: BaseException | None) -> None:
        self._deadline.cancel()
        if self._seated:
            self._seated = False
            self._places.leave(self._address)
        if self._told:
            self._told = False
            self._places.told()
        super().connection_lost(exc)


def connections(server: web.Server, places: Places) -> Callable[[], Connection]:
    """What makes a `Connection` of each that comes."""
    return lambda: Connection(server, places)
