# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: files with ranges by sendfile, and the forms. It logs no word of a request."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

from aiohttp import web

from ognetboot.errors import NetbootError
from ognetboot.hearing.forms import Forms
from ognetboot.serving.connection import Connection, connections
from ognetboot.serving.files import Tree, type_of
from ognetboot.serving.holders import holder
from ognetboot.serving.places import Places

LOG = logging.getLogger("ognetboot")

_BODY_BYTES = 8 << 10
_BODY_S = 5.0
_FAREWELL_S = 3.0
_BACKLOG = 1024
_MOST_CONNECTIONS = 2000
_PER_ADDRESS = 256  # a room behind one router
# Descriptors that are no connection's; a connection that sends a file holds two.
_OWN_DESCRIPTORS = 160

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_NO_STORE = {"Cache-Control": "no-store"}


class _Site:
    def __init__(self, tree: Tree | None, forms: Forms, behind_proxy: bool) -> None:
        self._tree = tree
        self._forms = forms
        self._behind_proxy = behind_proxy

    async def form(self, request: web.Request) -> web.Response:
        query = request.raw_path.partition("?")[2]  # as it was sent: it is decoded once, there
        if request.method == "POST":
            async with asyncio.timeout(_BODY_S):
                body = await request.content.read(_BODY_BYTES + 1)
                while not request.content.at_eof() and len(body) <= _BODY_BYTES:
                    body += await request.content.read(_BODY_BYTES + 1 - len(body))
            if len(body) > _BODY_BYTES:
                return web.Response(status=413)
            query = "&".join(filter(None, (query, body.decode("ascii", "replace"))))
        answer = await self._forms.answer(request.match_info["form"], query, self._address(request))
        return web.Response(
            status=answer.status,
            text=answer.text or None,
            content_type="text/plain" if answer.text else None,
            headers=_NO_STORE,
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        if self._tree is None:
            return web.Response(status=404)
        path = await asyncio.to_thread(self._tree.find, request.match_info["path"])
        if path is None:
            return web.Response(status=404)
        answer = web.FileResponse(path, chunk_size=256 << 10)
        answer.content_type = type_of(path)
        # What a PC boots is decided anew at each start.
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    def _address(self, request: web.Request) -> str:
        """Who asks; behind the proxy of this machine, whom that one names."""
        peer = str(request.remote or "")
        if self._behind_proxy and peer in ("127.0.0.1", "::1"):
            with suppress(ValueError):
                return str(ip_address(request.headers.get("X-Real-IP", "")))
        return peer


@web.middleware
async def _bounded(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """A request from its whole header on; what fails says no more than its number."""
    if isinstance(request.protocol, Connection):
        request.protocol.begin()
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status)
    except TimeoutError:
        answer = web.Response(status=408)
        answer.force_close()
        return answer
    except (OSError, web.RequestPayloadError):
        answer = web.Response(status=400)
        answer.force_close()
        return answer


def application(tree: Tree | None, forms: Forms, *, behind_proxy: bool = False) -> web.Application:
    """`tree` None: the forms alone, the files are served by another program."""
    site = _Site(tree, forms, behind_proxy)
    app = web.Application(middlewares=[_bounded], client_max_size=_BODY_BYTES)
    app.router.add_route("GET", "/netboot/do/{form}", site.form)
    app.router.add_route("POST", "/netboot/do/{form}", site.form)
    app.router.add_get("/{path:.*}", site.file)
    return app


@asynccontextmanager
async def opened(app: web.Application, sock: socket.socket) -> AsyncIterator[None]:
    """The server with its door open on `sock`."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_FAREWELL_S)
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - setup has made it
    places = Places(_most_connections(), _PER_ADDRESS)
    server = await asyncio.get_running_loop().create_server(
        connections(runner.server, places), sock=sock, backlog=_BACKLOG
    )
    try:
        yield
    finally:
        server.close()
        await runner.cleanup()


def _most_connections() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(16, min(_MOST_CONNECTIONS, (soft - _OWN_DESCRIPTORS) // 2))


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket, or one sentence about why there is none."""
    try:
        family = socket.AF_INET6 if ip_address(bind).version == 6 else socket.AF_INET
    except ValueError:
        raise NetbootError(
            f"{bind} is not an IP address", hint="give one of this machine with --bind"
        ) from None
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((bind, port))
    except OSError as error:
        sock.close()
        raise _taken(bind, port, error) from None
    return sock


def _taken(bind: str, port: int, error: OSError) -> NetbootError:
    who = holder("tcp", port)
    if who:
        return NetbootError(
            f"HTTP cannot listen on {bind} port {port}: {who} listens there",
            hint="end it, choose another port in [server], or serve without HTTP (--no-http)",
        )
    return NetbootError(
        f"HTTP cannot listen on {bind} port {port}: {error.strerror}",
        hint="ports below 1024 need root; --bind names an address of this machine",
    )
