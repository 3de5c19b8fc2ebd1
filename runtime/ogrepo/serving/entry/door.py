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
from ipaddress import IPv6Address

from aiohttp import web

from ogrepo.serving.accesslog import Seldom
from ogrepo.serving.connection import Connection
from ogrepo.serving.entry import later
from ogrepo.serving.entry.later import LATER, Refused
from ogrepo.serving.entry.limits import Limits
from ogrepo.serving.entry.places import Networks, Places
from ogrepo.serving.quick import Quick
from ogrepo.shortage import is_shortage

_PAUSE_S = 0.2
_SWEEP_S = 5.0
_BACKLOG = 4096
# Few at a time: those that were let in send their requests before the next ones are counted.
_AT_ONCE = 8


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
        self._refused: dict[Refused, None] = {}
        self._places = Places(limits, trusted)
        self._quick = quick
        self._sock = sock
        self._server = server
        self._limits = limits
        self._context = context
        self._loop = asyncio.get_running_loop()
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
        for one in list(self._refused):
            one.finish()
        for task in self._entering:
            task.cancel()
        self._drop_spare()

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
        why = self._places.why_not(address)
        if not why:
            plain = sock if self._context is None else None
            self._enter(sock, Connection(self._places, self._quick, self._server, plain, address))
            return
        self._refusals.warn(f"A connection of {address} was told to come back: {why}.")
        if len(self._refused) >= self._limits.refusals:
            if self._context is not None:
                sock.close()  # a handshake that has begun cannot be ended early
                return
            next(iter(self._refused)).finish()
        self._enter(sock, Refused(self._refused))

    def _enter(self, sock: socket.socket, protocol: Connection | Refused) -> None:
        task = self._loop.create_task(self._connect(sock, protocol))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _connect(self, sock: socket.socket, protocol: Connection | Refused) -> None:
        timeout = later.HEADER_S if self._context is not None else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=self._context, ssl_handshake_timeout=timeout
            )
        except OSError:
            protocol.connection_lost(None)  # it spoke no TLS, or has gone
        except BaseException:
            protocol.connection_lost(None)
            raise

    def _close_idle(self) -> None:
        self._places.close_idle()
        self._sweep = self._loop.call_later(_SWEEP_S, self._close_idle)

    # When descriptors run out all the same.

    def _starved(self, error: OSError) -> None:
        """Use the descriptor that was kept to answer one connection, and keep it again."""
        self._failures.warn(f"A connection could not be accepted: {error.strerror}.")
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
            sock.send(LATER)

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


def _address_of(peer: object) -> str:
    """The client's address; one of IPv4 that came by a socket for both is one of IPv4."""
    text = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    text = text.partition("%")[0]
    if ":" in text:
        mapped = IPv6Address(text).ipv4_mapped
        return str(mapped) if mapped is not None else text
    return text
