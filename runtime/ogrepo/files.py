# SPDX-License-Identifier: GPL-3.0-or-later
"""A file as an HTTP answer: by sendfile, in ranges, and never another file than was asked for."""

from __future__ import annotations

from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from ogrepo.receive import in_thread


class FileAnswer(web.FileResponse):
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
