# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection of a client: when it must speak, and which way its requests go."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from aiohttp import web

from ogrepo.refusal import Refusal, as_response
from ogrepo.serving.accesslog import LOG, PlainLog, log_request
from ogrepo.serving.entry import later
from ogrepo.serving.entry.places import Places
from ogrepo.serving.files import FileAnswer
from ogrepo.serving.outlet import Transfer
from ogrepo.serving.quick import Plain, Quick, is_one_request

_LEFTOVER_S = 2.0
_NEVER_S = 1e9  # aiohttp's own end of idle connections: it knows nothing of the short way


class Connection(web.RequestHandler):
    """One connection of a client, which is waiting for a request, answering one, or idle."""

    __slots__ = (
        "_busy", "_deadline", "_early", "_ended", "_heard", "_here", "_is_simple", "_over",
        "_places", "_plain", "_quick", "_sock", "_transfer", "_waiting", "address",
    )  # fmt: skip

    def __init__(
        self,
        places: Places,
        quick: Quick,
        server: web.Server,
        sock: socket.socket | None,
        address: str,
    ) -> None:
        """``sock``: what plain answers are written to, None where that is encrypted."""
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=LOG,
            access_log=LOG,
            access_log_class=PlainLog,
            keepalive_timeout=_NEVER_S,
            lingering_time=_LEFTOVER_S,
            auto_decompress=False,
        )
        self._places = places
        self._quick = quick
        self._sock = sock
        self.address = address
        self._here = True
        self._waiting = False
        self._busy = False
        self._heard = False
        self._deadline: asyncio.TimerHandle | None = None
        # Whether only whole requests came, one at a time: then aiohttp's parser is empty now.
        # Once this is not so, the connection goes the long way for good.
        self._is_simple = True
        self._plain: Plain | None = None
        self._transfer: Transfer | None = None
        self._early = b""
        self._ended = False
        self._over: asyncio.Event | None = None
        places.entered(address)
        self._wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self._here:  # the handshake took longer than a header may
            self.force_close()

    def _wait(self) -> None:
        """From now on a whole header is due, whatever arrives meanwhile."""
        self._waiting = True
        self._places.waits(self.address, 1)
        self._deadline = self._loop.call_later(later.HEADER_S, self._cut)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            self._places.waits(self.address, -1)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        if self._heard and self.transport is not None:
            self.transport.write(later.TOO_SLOW)
        self.leave()
        self.force_close()

    def data_received(self, data: bytes) -> None:
        if self._plain is not None:
            self._early += data
            assert isinstance(self.transport, asyncio.Transport)  # noqa: S101 - it has just read
            self.transport.pause_reading()
            return
        if data and (self._busy or self._heard):
            # It is in aiohttp's parser or queue, and what follows it must take the same way.
            self._is_simple = False
        if data and not self._busy and self._here:
            if self._is_simple and not self._heard:
                self._is_simple = is_one_request(data)
                if self._is_simple and self._answer_plainly(data):
                    return
            self._heard = True
            if not self._waiting:
                self._places.busy(self)
                self._wait()
        super().data_received(data)

    def begin(self, *, has_body: bool = False) -> None:
        """A request is whole and is answered now."""
        self._busy = True
        if has_body:
            self._is_simple = False
        self._stop_waiting()
        self._places.busy(self)

    def end(self) -> None:
        """It was answered."""
        self._busy = self._heard = False
        if self._here:
            self._places.idles(self)

    # The short way.

    def _answer_plainly(self, data: bytes) -> bool:
        """Answer the request in ``data`` at once, past aiohttp, if it is one of those."""
        sock, transport = self._sock, self.transport
        if sock is None or not isinstance(transport, asyncio.Transport):
            return False
        if transport.get_write_buffer_size():
            return False
        plain = self._quick.plain(data, self, self.address)
        if plain is None:
            return False
        self.begin()
        self._plain = plain
        outlet, done = self._quick.outlet, self._answered
        self._transfer = Transfer(outlet, sock, plain.head, plain.file, plain.part, done)
        self._transfer.go()
        return True

    def _answered(self, whole: bool) -> None:
        plain, transfer = self._plain, self._transfer
        self._plain = self._transfer = None
        assert plain is not None  # noqa: S101 - it was begun
        self._quick.give_back(plain, transfer.sent if transfer is not None else 0)
        sent = plain.part.count if whole else None
        log_request(plain.request, plain.part.status, sent, self._loop.time() - plain.begun)
        self.end()
        if self._over is not None:
            self._over.set()
        transport = self.transport
        if not isinstance(transport, asyncio.Transport):
            return
        if not whole:
            transport.abort()
        elif self._ended:
            transport.close()
        elif self._early:
            early, self._early = self._early, b""
            transport.resume_reading()
            self.data_received(early)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # the protocol's
        """Who has asked may close its half and take the answer still."""
        if self._plain is not None:
            self._ended = True
            return True
        super().eof_received()
        return None

    def close(self) -> None:
        self._is_simple = False
        super().close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        """Let an answer end that has begun, if that takes no longer."""
        if self._plain is not None:
            self._over = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), timeout)
        await super().shutdown(timeout)

    def leave(self) -> None:
        """Its place is free; may be called again."""
        self._stop_waiting()
        if self._here:
            self._here = False
            self._places.busy(self)
            self._places.left(self.address)
            if not self._places.has(self.address):
                self._quick.gone(self.address)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.leave()
        if self._transfer is not None:
            self._transfer.stop()
        if self._sock is not None:
            self._quick.outlet.forget(self._sock)
        super().connection_lost(exc)

    def log_access(
        self, request: web.BaseRequest, response: web.StreamResponse, time: float | None
    ) -> None:
        sent = response.sent if isinstance(response, FileAnswer) else 0
        self._quick.count(response.status, sent)
        super().log_access(request, response, time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what the client sent
    ) -> web.StreamResponse:
        """What is no HTTP costs one line of the log; a fault of ours is told in full."""
        if status >= 500:
            LOG.error("A request of %s failed.", request.remote, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionResetError("An answer was begun already.")
        told = "The request is not proper HTTP." if status < 500 else "The repository failed."
        response = as_response(Refusal(status, told))
        response.force_close()
        return response
