# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in: connections are counted, timed and refused here, before a request is judged.

No PC can stop the others: one address may hold only so many connections, fewer still that have
not sent a whole request, and a request's header must be there within seconds, however its bytes
drip in. Who finds no place is told to come back. Where descriptors run out in spite of the
limits, one that was kept for this lets the door say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from ogrepo.refusal import Refusal, as_response
from ogrepo.serving.accesslog import LOG, PlainLog, Seldom, log_request
from ogrepo.serving.limits import Limits
from ogrepo.serving.outlet import Transfer
from ogrepo.serving.quick import Plain, Quick, is_one_request
from ogrepo.shortage import is_shortage

HEADER_S = 10.0
IDLE_S = 75.0
_LINGER_S = 1.0
_LEFTOVER_S = 2.0
_JUST_IDLE_S = 1.0
_SWEEP_S = 5.0
_NEVER_S = 1e9  # aiohttp's own end of idle connections: it knows nothing of the short way
_PAUSE_S = 0.2
_BACKLOG = 4096
# Few at a time: those that were let in send their requests before the next ones are counted.
_AT_ONCE = 8
Networks = Sequence[IPv4Network | IPv6Network]


def _raw_answer(status: int, reason: str, message: str) -> bytes:
    answer = as_response(Refusal(status, message))
    body = answer.body
    assert isinstance(body, bytes)  # noqa: S101 - a JSON response is bytes
    after = answer.headers.get("Retry-After")
    later = f"Retry-After: {after}\r\n" if after else ""
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n{later}Connection: close\r\n\r\n"
    )
    return head.encode() + body


_LATER = _raw_answer(503, "Service Unavailable", "The repository has no place free just now.")
_TOO_SLOW = _raw_answer(408, "Request Timeout", f"The request took more than {HEADER_S:g} s.")


class Connection(web.RequestHandler):
    """One connection of a client, which is waiting for a request, answering one, or idle."""

    __slots__ = ("_busy", "_deadline", "_door", "_early", "_ended", "_heard", "_here", "_is_simple",
                 "_over", "_plain", "_sock", "_transfer", "_waiting", "address")  # fmt: skip

    def __init__(
        self, door: Door, server: web.Server, sock: socket.socket | None, address: str
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
        self._door = door
        self._sock = sock
        self.address = address
        self._here = True
        self._waiting = False
        self._busy = False
        self._heard = False
        self._deadline: asyncio.TimerHandle | None = None
        # Whether only whole requests came, one at a time: then aiohttp's parser is empty now.
        self._is_simple = True
        self._plain: Plain | None = None
        self._transfer: Transfer | None = None
        self._early = b""
        self._ended = False
        self._over: asyncio.Event | None = None
        door.entered(address)
        self._wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self._here:  # the handshake took longer than a header may
            self.force_close()

    def _wait(self) -> None:
        """From now on a whole header is due, whatever arrives meanwhile."""
        self._waiting = True
        self._door.waits(self.address, 1)
        self._deadline = self._loop.call_later(HEADER_S, self._cut)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            self._door.waits(self.address, -1)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        if self._heard and self.transport is not None:
            self.transport.write(_TOO_SLOW)
        self.leave()
        self.force_close()

    def data_received(self, data: bytes) -> None:
        if self._plain is not None:
            self._early += data
            assert isinstance(self.transport, asyncio.Transport)  # noqa: S101 - it has just read
            self.transport.pause_reading()
            return
        if data and not self._busy and self._here:
            if self._is_simple and not self._heard:
                self._is_simple = is_one_request(data)
                if self._is_simple and self._answer_plainly(data):
                    return
            self._heard = True
            if not self._waiting:
                self._door.busy(self)
                self._wait()
        super().data_received(data)

    def begin(self, *, has_body: bool = False) -> None:
        """A request is whole and is answered now."""
        self._busy = True
        if has_body:
            self._is_simple = False
        self._stop_waiting()
        self._door.busy(self)

    def end(self) -> None:
        """It was answered."""
        self._busy = self._heard = False
        if self._here:
            self._door.idles(self)

    # The short way.

    def _answer_plainly(self, data: bytes) -> bool:
        """Answer the request in ``data`` at once, past aiohttp, if it is one of those."""
        sock, transport = self._sock, self.transport
        if sock is None or not isinstance(transport, asyncio.Transport):
            return False
        if transport.get_write_buffer_size():
            return False
        plain = self._door.quick.plain(data, self)
        if plain is None:
            return False
        self.begin()
        self._plain = plain
        outlet, done = self._door.quick.outlet, self._answered
        self._transfer = Transfer(outlet, sock, plain.head, plain.file, plain.part, done)
        self._transfer.go()
        return True

    def _answered(self, whole: bool) -> None:
        plain, self._plain, self._transfer = self._plain, None, None
        assert plain is not None  # noqa: S101 - it was begun
        self._door.quick.give_back(plain)
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
            self._door.busy(self)
            self._door.left(self.address)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.leave()
        if self._transfer is not None:
            self._transfer.stop()
        if self._sock is not None:
            self._door.quick.outlet.forget(self._sock)
        super().connection_lost(exc)

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


class _Refused(asyncio.Protocol):
    """A connection that is told to come back, after its request where one arrives at once.

    An answer that is sent before the request was read can be lost: the kernel resets a connection
    that is closed with bytes unread.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told = False
        door.refused[self] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's always is
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(_LINGER_S, self.finish)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - nothing of it is needed
        self._tell()

    def _tell(self) -> None:
        if self._told or self._transport is None:
            return
        self._told = True
        self._transport.write(_LATER)
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def finish(self) -> None:
        """Say it if it was not said yet, and close."""
        self._tell()
        self.forget()
        if self._transport is not None:
            self._transport.close()

    def forget(self) -> None:
        self._door.refused.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        self.forget()


class Door:
    """Accepts connections of ``sock`` for ``server`` within ``limits``.

    trusted: networks of proxies, of which each connection may be of another PC.
    """

    def __init__(
        self,
        sock: socket.socket,
        server: web.Server,
        quick: Quick,
        limits: Limits,
        *,
        trusted: Networks = (),
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.refused: dict[_Refused, None] = {}
        self.quick = quick
        self._sock = sock
        self._server = server
        self._limits = limits
        self._trusted = trusted
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._here: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._idle: dict[Connection, float] = {}
        self._total = 0
        self._entering: set[asyncio.Task[None]] = set()
        self._spare: int | None = None
        self._refusals, self._failures = Seldom(), Seldom()
        self._pause: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self._keep_spare()
        self._sock.setblocking(False)
        self._sock.listen(_BACKLOG)
        self._loop.add_reader(self._sock, self._ready)
        self._close_idle()

    def use(self, context: ssl.SSLContext) -> None:
        """From the next connection on; those that are here keep theirs."""
        self._context = context

    def close(self) -> None:
        """Let nobody in any more; who is in may stay."""
        for timer in (self._pause, self._sweep):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
        for one in list(self.refused):
            one.finish()
        for task in self._entering:
            task.cancel()
        self._drop_spare()

    # What connections say of themselves.

    def entered(self, address: str) -> None:
        self._total += 1
        self._here[address] += 1

    def left(self, address: str) -> None:
        self._total -= 1
        _take_one(self._here, address)

    def waits(self, address: str, change: int) -> None:
        if change > 0:
            self._waiting[address] += change
        else:
            _take_one(self._waiting, address)

    def idles(self, connection: Connection) -> None:
        self._idle[connection] = self._loop.time()

    def busy(self, connection: Connection) -> None:
        self._idle.pop(connection, None)

    # The way in.

    def _ready(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, peer = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                # Others than a shortage are of one connection that is gone again (accept(2)).
                if is_shortage(error):
                    self._starved(error)
                    return
                if error.errno in (errno.EBADF, errno.EINVAL, errno.ENOTSOCK):
                    raise
                continue
            self._admit(sock, _address_of(peer))

    def _admit(self, sock: socket.socket, address: str) -> None:
        why = self._why_not(address)
        if not why:
            plain = sock if self._context is None else None
            self._enter(sock, Connection(self, self._server, plain, address))
            return
        self._refusals.say(f"A connection of {address} was told to come back: {why}.")
        if len(self.refused) >= self._limits.refusals:
            if self._context is not None:
                sock.close()  # a handshake that has begun cannot be ended early
                return
            next(iter(self.refused)).finish()
        self._enter(sock, _Refused(self))

    def _why_not(self, address: str) -> str:
        limits = self._limits
        if self._waiting[address] >= limits.waiting_per_address and not self._trusts(address):
            return f"{self._waiting[address]} others of it have sent no whole request"
        if self._here[address] >= limits.per_address and not self._trusts(address):
            if not self._make_room(address):
                return f"it has {self._here[address]} connections already"
        elif self._total >= limits.connections and not self._make_room():
            return f"there are {self._total} connections already"
        return ""

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)

    def _make_room(self, address: str | None = None) -> bool:
        """Close the connection (of this address) that has idled longest, unless it just began."""
        for connection, since in self._idle.items():
            if self._loop.time() - since < _JUST_IDLE_S:
                return False
            if address is None or connection.address == address:
                connection.leave()
                connection.force_close()
                return True
        return False

    def _close_idle(self) -> None:
        """Close those that have asked nothing for too long, the longest idle first."""
        before = self._loop.time() - IDLE_S
        for connection in [one for one, since in self._idle.items() if since <= before]:
            connection.leave()
            connection.force_close()
        self._sweep = self._loop.call_later(min(_SWEEP_S, IDLE_S), self._close_idle)

    def _enter(self, sock: socket.socket, protocol: Connection | _Refused) -> None:
        task = self._loop.create_task(self._connect(sock, protocol))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _connect(self, sock: socket.socket, protocol: Connection | _Refused) -> None:
        timeout = HEADER_S if self._context is not None else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=self._context, ssl_handshake_timeout=timeout
            )
        except OSError:
            protocol.connection_lost(None)  # it spoke no TLS, or has gone
        except BaseException:
            protocol.connection_lost(None)
            raise

    # When descriptors run out all the same.

    def _starved(self, error: OSError) -> None:
        """Use the descriptor that was kept to answer one connection, and keep it again."""
        self._failures.say(f"A connection could not be accepted: {error.strerror}.")
        if self._spare is not None:
            self._drop_spare()
            try:
                sock = self._sock.accept()[0]
            except OSError:
                pass
            else:
                with sock:
                    self._turn_away(sock)
            self._keep_spare()
        if self._spare is None and self._pause is None:
            self._loop.remove_reader(self._sock)
            self._pause = self._loop.call_later(_PAUSE_S, self._go_on)

    def _turn_away(self, sock: socket.socket) -> None:
        if self._context is not None:
            return  # a handshake is not possible now
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.recv(1 << 16)  # bytes that are left unread would reset the answer away
        with contextlib.suppress(OSError):
            sock.send(_LATER)

    def _go_on(self) -> None:
        self._pause = None
        self._keep_spare()
        self._loop.add_reader(self._sock, self._ready)

    def _keep_spare(self) -> None:
        try:
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._spare = None

    def _drop_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None


def _take_one(counts: Counter[str], address: str) -> None:
    counts[address] -= 1
    if not counts[address]:
        del counts[address]


def _address_of(peer: object) -> str:
    """The client's address; one of IPv4 that came by a socket for both is one of IPv4."""
    text = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    text = text.partition("%")[0]
    if ":" in text:
        mapped = IPv6Address(text).ipv4_mapped
        return str(mapped) if mapped is not None else text
    return text
