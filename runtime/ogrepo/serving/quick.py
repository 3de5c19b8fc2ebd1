# SPDX-License-Identifier: GPL-3.0-or-later
"""The short way to a file: for a plain request of one that was answered a moment ago.

A room asks for thousands of ranges of one image. Whatever is odd about a request, and the first
one of each file, goes the long way through the application; what a condition or a range means is
decided by ``files.part_for`` on both ways, of a request that aiohttp has parsed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, hdrs, web
from aiohttp.http import SERVER_SOFTWARE, HttpProcessingError, HttpRequestParser
from aiohttp.web_protocol import RequestHandler

from oglib.errors import OgError
from ogrepo.serving.counts import Counts
from ogrepo.serving.entry.limits import KEPT_FILES
from ogrepo.serving.files import Heading, OpenFile, OpenFiles, Part, part_for
from ogrepo.serving.outlet import Outlet
from ogrepo.serving.turns import Turns, is_image

_KEPT_S = 5.0  # a file that was removed must not hold its room on the disk for long
_LONGEST = 4 << 10


@dataclass(slots=True)
class _Known:
    """An answered file: where it was found, for whom, and what it was then."""

    where: str
    asked: str
    file: OpenFile
    status: os.stat_result
    heading: Heading
    used_at: float

    def is_same(self) -> bool:
        """Whether the path still leads to this very file, unchanged."""
        now, then = os.stat(self.where), self.status  # noqa: PTH116 - for each range
        return (
            now.st_ino == then.st_ino
            and now.st_mtime_ns == then.st_mtime_ns
            and now.st_size == then.st_size
            and now.st_dev == then.st_dev
        )


@dataclass(frozen=True, slots=True)
class Plain:
    """A request that is answered the short way. ``file`` is held until it is given back.

    ``turn``: the address that has its turn for it, empty where none is needed.
    """

    request: web.BaseRequest
    part: Part
    head: bytes
    file: OpenFile
    begun: float
    turn: str


def is_one_request(data: bytes) -> bool:
    """Whether these bytes look like the whole header of one request."""
    return data.endswith(b"\r\n\r\n") and data.count(b"\n\r\n") == 1 and b"\n\n" not in data


class Quick:
    """Knows the files that were just asked for. ``check_whole`` raises for what is not shown."""

    def __init__(
        self, root: Path, files: OpenFiles, check_whole: Callable[[str], None], turns: Turns
    ) -> None:
        self.outlet = Outlet()
        self.counts = Counts()
        self._turns = turns
        self._root = root
        self._files = files
        self._check_whole = check_whole
        self._loop = asyncio.get_running_loop()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._sweep: asyncio.TimerHandle | None = None

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        while self._known:
            self._drop(next(iter(self._known)))
        self.outlet.close()

    def learn(
        self,
        request: web.BaseRequest,
        asked: str,
        file: OpenFile,
        status: os.stat_result,
        heading: Heading,
    ) -> None:
        """This request's path led to ``file``, which the caller holds."""
        if request.raw_path in self._known:
            self._drop(request.raw_path)
        self._files.share(file)
        where = str(self._root.joinpath(asked))
        now = self._loop.time()
        self._known[request.raw_path] = _Known(where, asked, file, status, heading, now)
        if len(self._known) > KEPT_FILES:
            self._drop(next(iter(self._known)))
        if self._sweep is None:
            self._sweep = self._loop.call_later(_KEPT_S, self._forget_unused)

    def plain(self, data: bytes, connection: RequestHandler, address: str) -> Plain | None:
        """The answer to these bytes, or None: they go the long way."""
        if not data.startswith(b"GET ") or len(data) > _LONGEST:
            return None
        path = data[4 : data.find(b" ", 4)].decode("latin-1")
        known = self._known.get(path)
        if known is None or known.file.copied:
            return None
        request = _parsed(data, connection, self._loop)
        if request is None or request.raw_path != path:
            return None
        try:
            self._check_whole(known.asked)
            same = known.is_same()
        except (OgError, OSError):  # the long way says what is wrong
            return None
        if not same:
            self._drop(path)
            return None
        part = part_for(request, known.status, known.heading.tag)
        if not part.count:
            return None
        turn = address if is_image(known.asked) else ""
        if turn and self._turns.enter(turn) is not None:  # the long way says when it comes
            return None
        known.used_at = now = self._loop.time()
        self._files.share(known.file)
        return Plain(request, part, _head(known.heading, part), known.file, now, turn)

    def give_back(self, plain: Plain, sent: int) -> None:
        """It was answered, ``sent`` bytes of the file with it."""
        self._files.give_back(plain.file)
        if plain.turn:
            self._turns.end(plain.turn)
        self.count(plain.part.status, sent)

    def count(self, status: int, sent: int) -> None:
        """One more answer, with so many bytes of a file."""
        self.counts.answers[status] += 1
        self.counts.sent_bytes += sent

    def _drop(self, path: str) -> None:
        self._files.give_back(self._known.pop(path).file)

    def _forget_unused(self) -> None:
        self._sweep = None
        now = self._loop.time()
        for path in [path for path, one in self._known.items() if now - one.used_at > _KEPT_S]:
            self._drop(path)
        if self._known:
            self._sweep = self._loop.call_later(_KEPT_S, self._forget_unused)


def _parsed(
    data: bytes, connection: RequestHandler, loop: asyncio.AbstractEventLoop
) -> web.BaseRequest | None:
    """The one request in ``data`` if nothing about it is odd."""
    # A parser for each: what is left of an odd request cannot get into the next one.
    parser = HttpRequestParser(connection, loop, 1 << 16, auto_decompress=False)
    try:
        messages, upgraded, tail = parser.feed_data(data)
    except (HttpProcessingError, ValueError):  # the long way says what is wrong
        return None
    if len(messages) != 1 or upgraded or tail:
        return None
    message, payload = messages[0]
    if (
        payload is not EMPTY_PAYLOAD
        or message.version != HttpVersion11
        or message.should_close
        or message.method != hdrs.METH_GET
        or hdrs.EXPECT in message.headers
    ):
        return None
    return web.BaseRequest(message, payload, connection, None, None, loop)  # type: ignore[arg-type]


_REASONS = {status.value: status.phrase for status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)}


def _head(heading: Heading, part: Part) -> bytes:
    first = f"HTTP/1.1 {part.status} {_REASONS[part.status]}\r\n"
    last = f"Date: {_date(int(time.time()))}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
    return f"{first}{heading.lines(part)}{last}".encode("latin-1")


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)
