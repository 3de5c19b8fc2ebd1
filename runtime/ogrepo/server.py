# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: files with ranges by sendfile, the listing, uploads, one log line a request.

It starts, serves and stops; what an upload is, which path may be seen and how a page looks is
decided elsewhere.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import web

from oglib.errors import OgErr, OgError
from ogrepo.accesslog import LOG, PlainLog, start_logging
from ogrepo.api import UploadApi
from ogrepo.disks import published_disks
from ogrepo.files import FileAnswer
from ogrepo.folder import Folder, locked
from ogrepo.listen import address_for_people, listen
from ogrepo.pages import folder_list, image_list
from ogrepo.paths import entries, resolve
from ogrepo.receive import in_thread
from ogrepo.refusal import Refusal, as_response
from ogrepo.store import IMAGE, published
from ogrepo.uploads import Uploads

_IDLE_CONNECTION_S = 75.0
_FAREWELL_S = 3.0
_EXPIRE_EVERY_S = 600.0
_THREADS = 32
_SMALL_BODY_BYTES = 64 << 10
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-cache",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Site:
    """The handlers that only read."""

    def __init__(self, folder: Folder, api: UploadApi) -> None:
        self._folder = folder
        self._api = api

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def images(self, request: web.Request) -> web.Response:
        found = await in_thread(lambda: published(self._folder))
        disks = await in_thread(lambda: published_disks(self._folder))
        if _wants_json(request):
            shown = [one.as_dict() for one in found] + [one.as_dict() for one in disks]
            body = {"images": shown}
            return web.json_response(body, headers={"Vary": "Accept"})
        headers = {**_PAGE_HEADERS, "Vary": "Accept"}
        return web.Response(
            text=image_list(found, disks), content_type="text/html", headers=headers
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        asked = request.match_info["path"]
        self._check_whole(asked)
        path, is_folder = await in_thread(lambda: resolve(self._folder, asked))
        if is_folder:
            return await self._folder_page(request, asked, path)
        response = FileAnswer(path, headers={"X-Content-Type-Options": "nosniff"})
        if IMAGE in path.name and not path.name.endswith(".json"):
            response.content_type = "application/octet-stream"
        return response

    def _check_whole(self, asked: str) -> None:
        """An image whose files are just being exchanged is not shown half old, half new."""
        folder, _, rest = asked.partition("/")
        name, is_image, _ = rest.partition(IMAGE)
        if folder == "images" and is_image and self._api.is_publishing(name):
            raise Refusal(503, "A new version of this image is just being published.")

    async def _folder_page(self, request: web.Request, asked: str, path: Path) -> web.Response:
        if asked and not asked.endswith("/"):
            raise web.HTTPMovedPermanently(request.rel_url.raw_path + "/")
        found = await in_thread(lambda: entries(self._folder, path))
        if _wants_json(request):
            return web.json_response({"entries": [name + "/" * deep for name, deep in found]})
        text = folder_list(asked.strip("/"), found)
        return web.Response(text=text, content_type="text/html", headers=_PAGE_HEADERS)


def _wants_json(request: web.Request) -> bool:
    asked = request.query.get("format", "")
    if asked:
        return asked == "json"
    return "application/json" in request.headers.get("Accept", "")


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every failure becomes the JSON of the contract; only what we did not foresee is logged."""
    try:
        return await handler(request)
    except OgError as error:
        response = as_response(error)
        if response.status >= 500:
            LOG.warning("%s", error)
        return response
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = OgErr.NOTFOUND if error.status == 404 else OgErr.FORMAT
        return as_response(Refusal(error.status, f"{error.reason}.", code=code))
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        LOG.warning("%s %s: %s", request.method, request.rel_url.raw_path, error)
        return as_response(Refusal(500, f"The repository failed: {error.strerror}."))


def make_app(folder: Folder, uploads: Uploads) -> web.Application:
    """The application; ``uploads`` was started before."""
    api = UploadApi(folder, uploads)
    site = _Site(folder, api)
    app = web.Application(middlewares=[_errors], client_max_size=_SMALL_BODY_BYTES)
    app.add_routes(api.routes())
    app.router.add_get("/healthz", site.health)
    app.router.add_get("/images/", site.images)
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

    app.on_startup.append(background)
    app.on_shutdown.append(stop)
    return app


_EXPIRY = web.AppKey("expiry", asyncio.Task[None])


def make_runner(
    folder: Folder, uploads: Uploads, *, farewell_s: float = _FAREWELL_S
) -> web.AppRunner:
    """The application with the server's limits and log; ``uploads`` was started before."""
    return web.AppRunner(
        make_app(folder, uploads),
        access_log=LOG,
        access_log_class=PlainLog,
        keepalive_timeout=_IDLE_CONNECTION_S,
        shutdown_timeout=farewell_s,
        auto_decompress=False,
    )


async def _serve(folder: Folder, sock: socket.socket, uploads: Uploads) -> None:
    # The default pool has one thread more than a few: some slow uploads must not hold up reads.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "ogrepo"))
    runner = make_runner(folder, uploads)
    await runner.setup()
    try:
        await web.SockSite(runner, sock, backlog=512).start()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        count = len(await in_thread(lambda: [*published(folder), *published_disks(folder)]))
        print(
            f"ogrepo serves {folder.root} at {address_for_people(sock)} "
            f"({count} image{'s' * (count != 1)}); stop it with Ctrl-C.",
            flush=True,
        )
        await stop.wait()
    finally:
        await runner.cleanup()


def serve(folder: Folder, bind: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    with locked(folder, "serve", what=f"{folder.root}"):
        sock = listen(bind, port)
        start_logging()
        uploads = Uploads(folder)
        for line in uploads.start():
            LOG.info("%s", line)
        asyncio.run(_serve(folder, sock, uploads))
