# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: files with ranges by sendfile, the listing, uploads, one log line a request.

It starts, serves and stops; what an upload is, which path may be seen and how a page looks is
decided elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger, AbstractStreamWriter
from multidict import CIMultiDict

from oglib.errors import OgErr, OgError, UsageError
from oglib.transfer.link import notice_a_dead_peer
from ogrepo.api import UploadApi
from ogrepo.folder import Folder, locked
from ogrepo.pages import folder_list, image_list
from ogrepo.paths import entries, resolve
from ogrepo.receive import in_thread
from ogrepo.refusal import Refusal, as_response
from ogrepo.store import IMAGE, published
from ogrepo.uploads import Uploads

_LOG = logging.getLogger("ogrepo")
_IDLE_CONNECTION_S = 75.0
_DEAD_PEER_S = 60.0
_FAREWELL_S = 3.0
_EXPIRE_EVERY_S = 600.0
_THREADS = 32
_SMALL_BODY_BYTES = 64 << 10
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-cache",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _File(web.FileResponse):
    """A file as it is: never a compressed neighbour, and If-Range by entity tag.

    aiohttp answers If-Range by date only and would send a range of a file that has changed.
    """

    whole = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        headers = CIMultiDict(request.headers)
        headers.popall(hdrs.ACCEPT_ENCODING, None)
        condition = headers.get(hdrs.IF_RANGE, "")
        if condition.startswith(('"', "W/")):
            del headers[hdrs.IF_RANGE]
            if condition != await in_thread(lambda: _etag(self._path)):
                headers.popall(hdrs.RANGE, None)
        writer = await super().prepare(request.clone(headers=headers))
        self.whole = True
        return writer


def _etag(path: Path) -> str:
    """The entity tag that aiohttp gives to this file."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


class _PlainLog(AbstractAccessLogger):
    """Time, client, method, path, range, status, bytes. No header but the range is looked at."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        sent = response.content_length
        if isinstance(response, _File) and not response.whole:
            size = "cut"
        else:
            size = str(response.body_length if sent is None else sent)
        asked = request.headers.get(hdrs.RANGE, "-")
        words = (
            request.remote or "-",
            request.method,
            request.rel_url.raw_path[:512],
            asked[:64],
            str(response.status),
            size,
            f"{time * 1000:.0f}ms",
        )
        text = " ".join(word.replace(" ", "") for word in words)
        self.logger.info("%s", "".join(c if c.isprintable() else "?" for c in text))


class _Site:
    """The handlers that only read."""

    def __init__(self, folder: Folder, api: UploadApi) -> None:
        self._folder = folder
        self._api = api

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def images(self, request: web.Request) -> web.Response:
        found = await in_thread(lambda: published(self._folder))
        if _wants_json(request):
            body = {"images": [image.as_dict() for image in found]}
            return web.json_response(body, headers={"Vary": "Accept"})
        headers = {**_PAGE_HEADERS, "Vary": "Accept"}
        return web.Response(text=image_list(found), content_type="text/html", headers=headers)

    async def file(self, request: web.Request) -> web.StreamResponse:
        asked = request.match_info["path"]
        self._check_whole(asked)
        path, is_folder = await in_thread(lambda: resolve(self._folder, asked))
        if is_folder:
            return await self._folder_page(request, asked, path)
        response = _File(path, headers={"X-Content-Type-Options": "nosniff"})
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
            _LOG.warning("%s", error)
        return response
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = OgErr.NOTFOUND if error.status == 404 else OgErr.FORMAT
        return as_response(Refusal(error.status, f"{error.reason}.", code=code))
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        _LOG.warning("%s %s: %s", request.method, request.rel_url.raw_path, error)
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
                _LOG.info("%s", line)

    async def background(app: web.Application) -> None:
        app[_EXPIRY] = asyncio.create_task(expire_now_and_then(app))

    async def stop(app: web.Application) -> None:
        app[_EXPIRY].cancel()
        await api.stop()

    app.on_startup.append(background)
    app.on_shutdown.append(stop)
    return app


_EXPIRY = web.AppKey("expiry", asyncio.Task[None])


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket, or one sentence about why there is none."""
    hint = "Give an IP address of this machine with --bind and a port up to 65535 with --port."
    if not 0 <= port <= 65535:
        raise UsageError(f"There is no port {port}.", hint=hint)
    try:
        family = socket.AF_INET6 if ip_address(bind).version == 6 else socket.AF_INET
    except ValueError:
        raise UsageError(f"{bind} is not an IP address.", hint=hint) from None
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        notice_a_dead_peer(sock, _DEAD_PEER_S)  # accepted connections inherit it
        sock.bind((bind, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            hint = "Another program uses this port; end it or choose another one with --port."
        raise OgError(
            f"ogrepo cannot listen on {bind} port {port}: {error.strerror}.", hint=hint
        ) from None
    return sock


def _address_for_people(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        # A UDP socket that is connected sends nothing, but learns our address on that way.
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect(("192.0.2.1", 9))
            host = way.getsockname()[0]
    host = "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _start_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    form.converter = time.localtime
    handler.setFormatter(form)
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False


def make_runner(
    folder: Folder, uploads: Uploads, *, farewell_s: float = _FAREWELL_S
) -> web.AppRunner:
    """The application with the server's limits and log; ``uploads`` was started before."""
    return web.AppRunner(
        make_app(folder, uploads),
        access_log=_LOG,
        access_log_class=_PlainLog,
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
        count = len(await in_thread(lambda: published(folder)))
        print(
            f"ogrepo serves {folder.root} at {_address_for_people(sock)} "
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
        _start_logging()
        uploads = Uploads(folder)
        for line in uploads.start():
            _LOG.info("%s", line)
        asyncio.run(_serve(folder, sock, uploads))
