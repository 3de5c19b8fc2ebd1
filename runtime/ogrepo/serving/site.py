# SPDX-License-Identifier: GPL-3.0-or-later
"""The handlers that only read: files, folders, the listing."""

from __future__ import annotations

import os
from pathlib import Path

from aiohttp import hdrs, web

from ogrepo.intake.receive import in_thread
from ogrepo.library.folder import Folder
from ogrepo.library.publishing import is_unfinished
from ogrepo.library.store import IMAGE
from ogrepo.refusal import Refusal
from ogrepo.serving.connection import Connection
from ogrepo.serving.files import FileAnswer, Heading, OpenFile, OpenFiles
from ogrepo.serving.lasting import check_listed, heading_for
from ogrepo.serving.listing import Listings
from ogrepo.serving.pages import folder_list
from ogrepo.serving.paths import resolve
from ogrepo.serving.quick import Quick
from ogrepo.serving.turns import Turns, is_image

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-cache",
}


class Site:
    """The handlers that only read."""

    def __init__(self, folder: Folder, turns: Turns) -> None:
        self._folder = folder
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
        file, status, heading = opened
        try:
            self.quick.learn(request, asked, file, status, heading)
            answer = FileAnswer()
            await answer.send(request, file, status, heading)
            return answer
        finally:
            self._files.give_back(file)

    def _open(self, asked: str) -> tuple[Path, tuple[OpenFile, os.stat_result, Heading] | None]:
        path, is_folder = resolve(self._folder, asked)
        if is_folder:
            return path, None
        file, status = self._files.take(path)
        try:
            return path, (file, status, heading_for(asked, path.name, file, status))
        except BaseException:
            self._files.give_back(file)
            raise

    def _check_whole(self, asked: str) -> None:
        """An image whose files are just being exchanged is not shown half old, half new."""
        folder, _, rest = asked.partition("/")
        name, is_image, _ = rest.partition(IMAGE)
        if folder == "images" and is_image and is_unfinished(self._folder, name):
            raise Refusal(503, "A new version of this image is just being published.")

    async def _folder_page(self, request: web.Request, asked: str, path: Path) -> web.Response:
        if asked and not asked.endswith("/"):
            raise web.HTTPMovedPermanently(request.rel_url.raw_path + "/")
        check_listed(asked)
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
