# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: files with ranges by sendfile, the listing, uploads, one log line a request.

It starts, serves and stops, and here each path gets its handler (those of uploads come from
``intake.api``). What an upload is, which path may be seen and how a page looks is decided
elsewhere.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from ogrepo.intake.api import UploadApi
from ogrepo.intake.ledger import MOST_BYTES, SPARE_BYTES
from ogrepo.intake.uploads import Uploads
from ogrepo.library.folder import Folder, held
from ogrepo.library.linking import link_all
from ogrepo.library.moving.naming import finish_renames
from ogrepo.serving.accesslog import LOG, start_logging
from ogrepo.serving.entry.door import Door
from ogrepo.serving.entry.limits import Limits, limits_for, raise_descriptors
from ogrepo.serving.entry.listen import address_for_people, listen
from ogrepo.serving.entry.places import Networks
from ogrepo.serving.entry.tls import Pair, follow, server_context
from ogrepo.serving.layers import errors, exchange
from ogrepo.serving.listing import Listings
from ogrepo.serving.metrics import Metrics
from ogrepo.serving.passing import hand_on
from ogrepo.serving.quick import Quick
from ogrepo.serving.signing import follow_signed
from ogrepo.serving.site import Site
from ogrepo.serving.turns import Turns
from ogrepo.versions.prune import Policy
from ogrepo.versions.room import Guard

_FAREWELL_S = 3.0
_EXPIRE_EVERY_S = 600.0
_THREADS = 32
_SMALL_BODY_BYTES = 64 << 10
_SWITCH_S = 0.001  # a thread that computes gives the loop its turn after this


@dataclass(frozen=True, slots=True)
class Serving:
    """How a repository is served. ``pair``: certificate and key for https, None = plain.

    ``at_once``: how many PCs may read images at a time, 0 = all of them. ``metrics_to``: who is
    told the numbers, None = this machine alone. ``spare_bytes`` of the disk stay free; before a
    capture is refused for that, versions go that ``policy`` does not keep, None = none go.
    """

    bind: str
    port: int
    trusted: Networks = ()
    pair: tuple[Path, Path] | None = None
    most_bytes: int = MOST_BYTES
    spare_bytes: int = SPARE_BYTES
    policy: Policy | None = None
    at_once: int = 0
    metrics_to: Networks | None = None


def make_app(folder: Folder, uploads: Uploads, serving: Serving) -> web.Application:
    """The application; ``uploads`` was started before."""
    api = UploadApi(folder, uploads)
    turns = Turns(serving.at_once, serving.trusted)
    site = Site(folder, turns)
    metrics = Metrics(
        folder,
        uploads,
        site.listings,
        site.quick.counts,
        turns,
        serving.metrics_to,
        serving.trusted,
    )
    app = web.Application(middlewares=[exchange, errors], client_max_size=_SMALL_BODY_BYTES)
    app.add_routes(api.routes())
    app.router.add_get("/healthz", site.health)
    app.router.add_get("/metrics", metrics.answer)
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
        app[_SIGNED] = asyncio.create_task(follow_signed(folder))

    async def stop(app: web.Application) -> None:
        app[_EXPIRY].cancel()
        app[_SIGNED].cancel()
        await api.stop()
        site.listings.close()

    app[LISTINGS] = site.listings
    app[_QUICK] = site.quick
    app.on_startup.append(background)
    app.on_shutdown.append(stop)
    return app


_EXPIRY = web.AppKey("expiry", asyncio.Task[None])
_SIGNED = web.AppKey("signed", asyncio.Task[None])
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


def uploads_for(folder: Folder, serving: Serving) -> Uploads:
    """The uploads of a repository, within the limits with which it is served."""
    if serving.policy is None:
        return Uploads(folder, serving.most_bytes, serving.spare_bytes)
    guard = Guard(folder, serving.policy)
    return Uploads(folder, serving.most_bytes, serving.spare_bytes, guard)


def serve(folder: Folder, serving: Serving) -> None:
    """Serve until SIGINT or SIGTERM."""
    with held(folder, "serve", what=f"{folder.root}"):
        if serving.pair is not None:
            server_context(*serving.pair, folder.root)  # before anything is opened
        limits = limits_for(raise_descriptors())
        sock = listen(serving.bind, serving.port)
        start_logging()
        sys.setswitchinterval(_SWITCH_S)
        uploads = uploads_for(folder, serving)
        for line in (*uploads.start(), *finish_renames(folder), *link_all(folder)):
            LOG.info("%s", line)
        gc.freeze()  # what is here by now stays: looking through it again costs the loop its turn
        asyncio.run(_serve(folder, sock, uploads, serving, limits))
