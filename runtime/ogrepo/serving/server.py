# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: files with ranges by sendfile, the listing, uploads, one log line a request.

It starts, serves and stops, and here each path gets its handler (those of uploads come from
``intake.api``). What an upload is, which path may be seen and how a page looks is decided
elsewhere.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from ogrepo.intake.api import UploadApi
from ogrepo.intake.ledger import MOST_BYTES
from ogrepo.intake.receive import in_thread
from ogrepo.intake.uploads import Uploads
from ogrepo.library.folder import Folder, locked
from ogrepo.library.store import IMAGE
from ogrepo.refusal import Refusal
from ogrepo.serving.accesslog import LOG, start_logging
from ogrepo.serving.connection import Connection
from ogrepo.serving.door import Door
from ogrepo.serving.files import FileAnswer, Heading, OpenFile, OpenFiles, kind_of
from ogrepo.serving.layers import errors, exchange
from ogrepo.serving.limits import Limits, limits_for, raise_descriptors
from ogrepo.serving.listen import address_for_people, listen
from ogrepo.serving.listing import Listings
from ogrepo.serving.pages import folder_list
from ogrepo.serving.passing import hand_on
from ogrepo.serving.paths import resolve
from ogrepo.serving.places import Networks
from ogrepo.serving.quick import Quick
from ogrepo.serving.tls import Pair, follow, server_context
from ogrepo.serving.turns import Turns, is_image

_FAREWELL_S = 3.0
_EXPIRE_EVERY_S = 600.0
_THREADS = 32
_SMALL_BODY_BYTES = 64 << 10
_SWITCH_S = 0.001  # a thread that computes gives the loop its turn after this
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class Serving:
    """How a repository is served. ``pair``: certificate and key for https, None = plain.

    ``at_once``: how many PCs may read images at a time, 0 = all of them.
    """

    bind: str
    port: int
    trusted: Networks = ()
    pair: tuple[Path, Path] | None = None
    most_bytes: int = MOST_BYTES
    at_once: int = 0


class _Site:
    """The handlers that only read."""

    def __init__(self, folder: Folder, api: UploadApi, turns: Turns) -> None:
        self._folder = folder
        self._api = api
        self._turns = turns
        self._files = OpenFiles()
        self.listings = Listings(folder)
        self.quick = Quick(folder.root, self._files, self._check_whole, turns)

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def images(self, request: web.Request) -> web.Response:
        listing = await self.listings.images()
        if _wants_json(request):
            return web.Response(
                body=listing.as_json,
                content_type="application/json",
                charset="utf-8",
                headers={"Vary": "Accept"},
            )
        headers = {**_PAGE_HEADERS, "Vary": "Accept"}
        return web.Response(
            body=listing.as_html, content_type="text/html", charset="utf-8", headers=headers
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        asked = request.match_info["path"]
        self._check_whole(asked)
        if request.method != hdrs.METH_GET or not is_image(asked):
            return await self._answer(request, asked)
        connection = request.protocol
        assert isinstance(connection, Connection)  # noqa: S101 - the door makes no others
        queued = self._turns.enter(connection.address)
        if queued is not None:
            raise queued
        try:
            return await self._answer(request, asked)
        finally:
            self._turns.end(connection.address)

    async def _answer(self, request: web.Request, asked: str) -> web.StreamResponse:
        path, opened = await in_thread(lambda: self._open(asked))
        if opened is None:
            return await self._folder_page(request, asked, path)
        file, status = opened
        try:
            is_image = IMAGE in path.name and not path.name.endswith(".json")
            heading = Heading(status, kind_of("" if is_image else path.name))
            self.quick.learn(request, asked, file, status, heading)
            answer = FileAnswer()
            await answer.send(request, file, status, heading)
            return answer
        finally:
            self._files.give_back(file)

    def _open(self, asked: str) -> tuple[Path, tuple[OpenFile, os.stat_result] | None]:
        path, is_folder = resolve(self._folder, asked)
        return path, None if is_folder else self._files.take(path)

    def _check_whole(self, asked: str) -> None:
        """An image whose files are just being exchanged is not shown half old, half new."""
        folder, _, rest = asked.partition("/")
        name, is_image, _ = rest.partition(IMAGE)
        if folder == "images" and is_image and self._api.is_publishing(name):
            raise Refusal(503, "A new version of this image is just being published.")

    async def _folder_page(self, request: web.Request, asked: str, path: Path) -> web.Response:
        if asked and not asked.endswith("/"):
            raise web.HTTPMovedPermanently(request.rel_url.raw_path + "/")
        found = await self.listings.entries(path)
        if _wants_json(request):
            return web.json_response({"entries": [name + "/" * deep for name, deep in found]})
        text = folder_list(asked.strip("/"), found)
        return web.Response(text=text, content_type="text/html", headers=_PAGE_HEADERS)


def _wants_json(request: web.Request) -> bool:
    asked = request.query.get("format", "")
    if asked:
        return asked == "json"
    return "application/json" in request.headers.get("Accept", "")


def make_app(folder: Folder, uploads: Uploads, serving: Serving) -> web.Application:
    """The application; ``uploads`` was started before."""
    api = UploadApi(folder, uploads)
    site = _Site(folder, api, Turns(serving.at_once, serving.trusted))
    app = web.Application(middlewares=[exchange, errors], client_max_size=_SMALL_BODY_BYTES)
    app.add_routes(api.routes())
    app.router.add_get("/healthz", site.health)
    app.router.add_get("/images/", site.images)
    for method in ("GET", "POST"):
        app.router.add_route(method, "/netboot/do/{form}", hand_on)
    app.router.add_get("/{path:.*}", site.file)

    async def expire_now_and_then(_: web.Application) -> None:
        while True:
            await asyncio.sleep(_EXPIRE_EVERY_S)
            for line in await api.expire():
                LOG.info("%s", line)

    async def background(app: web.Application) -> None:
        app[_EXPIRY] = asyncio.create_task(expire_now_and_then(app))

    async def stop(app: web.Application) -> None:
        app[_EXPIRY].cancel()
        await api.stop()
        site.listings.close()

    app[LISTINGS] = site.listings
    app[_QUICK] = site.quick
    app.on_startup.append(background)
    app.on_shutdown.append(stop)
    return app


_EXPIRY = web.AppKey("expiry", asyncio.Task[None])
LISTINGS = web.AppKey("listings", Listings)
_QUICK = web.AppKey("quick", Quick)


@asynccontextmanager
async def opened(
    folder: Folder,
    sock: socket.socket,
    uploads: Uploads,
    serving: Serving,
    limits: Limits,
    *,
    farewell_s: float = _FAREWELL_S,
) -> AsyncIterator[web.Application]:
    """The repository with its door open on ``sock``; ``uploads`` was started before."""
    # The default pool has one thread more than a few: some slow uploads must not hold up reads.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "ogrepo"))
    pair = None if serving.pair is None else Pair(*serving.pair, folder.root)
    app = make_app(folder, uploads, serving)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=farewell_s)
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - setup has made it
    quick = app[_QUICK]
    context = None if pair is None else pair.context
    door = Door(sock, runner.server, quick, limits, trusted=serving.trusted, context=context)
    renewals = None if pair is None else asyncio.create_task(follow(pair, door.use))
    try:
        door.open()
        yield app
    finally:
        if renewals is not None:
            renewals.cancel()
        door.close()
        await runner.cleanup()
        quick.close()


async def _serve(
    folder: Folder, sock: socket.socket, uploads: Uploads, serving: Serving, limits: Limits
) -> None:
    async with opened(folder, sock, uploads, serving, limits) as app:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        count = (await app[LISTINGS].images()).count
        scheme = "http" if serving.pair is None else "https"
        print(
            f"ogrepo serves {folder.root} at {address_for_people(sock, scheme)} "
            f"({count} image{'s' * (count != 1)}); stop it with Ctrl-C.",
            flush=True,
        )
        await stop.wait()


def serve(folder: Folder, serving: Serving) -> None:
    """Serve until SIGINT or SIGTERM."""
    with locked(folder, "serve", what=f"{folder.root}"):
        if serving.pair is not None:
            server_context(*serving.pair, folder.root)  # before anything is opened
        limits = limits_for(raise_descriptors())
        sock = listen(serving.bind, serving.port)
        start_logging()
        sys.setswitchinterval(_SWITCH_S)
        uploads = Uploads(folder, serving.most_bytes)
        for line in uploads.start():
            LOG.info("%s", line)
        gc.freeze()  # what is here by now stays: looking through it again costs the loop its turn
        asyncio.run(_serve(folder, sock, uploads, serving, limits))
