# SPDX-License-Identifier: GPL-3.0-or-later
"""A file as an HTTP answer: by sendfile, in ranges, and never another file than was asked for.

A file that many read at a time is opened once. A reader may be slow, but not for ever: each piece
has an end of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
import os
import re
import stat
import threading
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from pathlib import Path

from aiohttp import ETag, hdrs, web

from oglib.errors import NotFoundError
from ogrepo.intake.receive import in_thread

PIECE_BYTES = 4 << 20
_COPIED_BYTES = 256 << 10  # where sendfile cannot be used: encrypted, or an odd filesystem
_STALL_S = 60.0
_SLOWEST = 16 << 10  # bytes a second
_NO_BYTES = re.compile(r"bytes=-0+", re.ASCII | re.IGNORECASE)
_ANY = "*"
_CONDITIONS = (
    hdrs.IF_MATCH, hdrs.IF_NONE_MATCH, hdrs.IF_MODIFIED_SINCE, hdrs.IF_UNMODIFIED_SINCE
)  # fmt: skip
_UNKNOWN = "application/octet-stream"


def patience_s(count: int) -> float:
    """How long a reader may take for the next ``count`` bytes, a piece at most."""
    return _STALL_S + count / _SLOWEST


@dataclass(slots=True, eq=False)
class OpenFile:
    """A descriptor that is shared; ``users`` of it are reading.

    ``copied``: its filesystem knows no sendfile, so what is sent of it is read.
    """

    descriptor: int
    key: tuple[int, int]
    users: int = 0
    copied: bool = False

    def fileno(self) -> int:
        return self.descriptor


class OpenFiles:
    """The files that are being sent. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[int, int], OpenFile] = {}

    def take(self, path: Path) -> tuple[OpenFile, os.stat_result]:
        """The regular file at ``path``, which is no link, and what it is now; blocks shortly.

        ``give_back`` must follow.
        """
        status = path.lstat()
        with self._lock:
            known = self._open.get((status.st_dev, status.st_ino))
            if known is not None:
                known.users += 1
                return known, status
        # Not blocking: a pipe that took the file's place must not hold the thread.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotFoundError("There is no such file here.")
        except BaseException:
            os.close(descriptor)
            raise
        key = (status.st_dev, status.st_ino)
        with self._lock:
            file = self._open.setdefault(key, OpenFile(descriptor, key))
            file.users += 1
        if file.descriptor != descriptor:
            os.close(descriptor)
        return file, status

    def share(self, file: OpenFile) -> None:
        """One more reads what somebody holds; ``give_back`` must follow."""
        with self._lock:
            file.users += 1

    def give_back(self, file: OpenFile) -> None:
        with self._lock:
            file.users -= 1
            if file.users:
                return
            del self._open[file.key]
        os.close(file.descriptor)


@dataclass(frozen=True, slots=True)
class Part:
    """What of a file is sent, and with which status; ``count`` 0 = no body."""

    status: int
    first: int = 0
    count: int = 0


def part_for(request: web.BaseRequest, status: os.stat_result, tag: str) -> Part:
    """The answer to the request's conditions and range (RFC 9110, sections 13 and 14).

    ``tag``: the entity tag of what the file is now.
    """
    seconds, size = int(status.st_mtime), status.st_size
    headers = request.headers
    if any(name in headers for name in _CONDITIONS):
        refused = _refused(request, tag, seconds)
        if refused:
            return Part(refused)
    asked = headers.get(hdrs.RANGE)
    if asked is None or not _is_same(request, tag, seconds):
        return Part(200, 0, size)
    return _range_of(request, asked, size)


def _refused(request: web.BaseRequest, tag: str, seconds: int) -> int:
    """The status with which a condition ends the request, 0 = none does."""
    if request.if_match is not None:
        if not _matches(tag, request.if_match, weakly=False):
            return 412
    elif (limit := request.if_unmodified_since) and seconds > limit.timestamp():
        return 412
    if request.if_none_match is not None:
        if _matches(tag, request.if_none_match, weakly=True):
            return 304
    elif (since := request.if_modified_since) and seconds <= since.timestamp():
        return 304
    return 0


def _range_of(request: web.BaseRequest, asked: str, size: int) -> Part:
    try:
        piece = request.http_range
    except ValueError:
        return Part(416)
    first = piece.start if piece.start >= 0 else max(0, size + piece.start)
    stop = size if piece.stop is None else min(piece.stop, size)
    if first >= size or _NO_BYTES.fullmatch(asked.strip()):
        return Part(416)
    return Part(206, first, stop - first)


def etag_of(status: os.stat_result) -> str:
    """The entity tag's value: another one whenever the file was written."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _matches(tag: str, given: tuple[ETag, ...], *, weakly: bool) -> bool:
    return any(one.value in (tag, _ANY) and (weakly or not one.is_weak) for one in given)


def _is_same(request: web.BaseRequest, tag: str, seconds: int) -> bool:
    """Whether If-Range is absent or names this very file; what cannot be read names none."""
    said = request.headers.get(hdrs.IF_RANGE)
    if said is None or said == f'"{tag}"':
        return True
    named = None if said.startswith(('"', "W/")) else request.if_range
    return named is not None and named.timestamp() == seconds


class Heading:
    """The header fields with which a file of this ``kind`` is answered, as it is now.

    ``tag``: its entity tag. ``cached``: what caches may do with it, in the words of HTTP.
    """

    def __init__(
        self, status: os.stat_result, kind: str, *, tag: str = "", cached: str = ""
    ) -> None:
        self.tag = tag or etag_of(status)
        self._size = status.st_size
        self._kind = kind
        self._always = {
            "X-Content-Type-Options": "nosniff",
            hdrs.ACCEPT_RANGES: "bytes",
            hdrs.ETAG: f'"{self.tag}"',
            hdrs.LAST_MODIFIED: formatdate(int(status.st_mtime), usegmt=True),
        }
        self._cached = cached
        whole = self.fields(Part(200))
        del whole[hdrs.CONTENT_LENGTH]
        self._constant = "".join([f"{name}: {value}\r\n" for name, value in whole.items()])

    def lines(self, part: Part) -> str:
        """As ``fields``, spelled; of an answer with a body alone. A room asks for thousands."""
        place = ""
        if part.status == 206:
            last = part.first + part.count - 1
            place = f"Content-Range: bytes {part.first}-{last}/{self._size}\r\n"
        return f"{self._constant}{place}Content-Length: {part.count}\r\n"

    def fields(self, part: Part) -> dict[str, str]:
        """Those of the answer that gives ``part``."""
        fields = dict(self._always)
        if self._cached and part.status in (200, 206, 304):
            fields[hdrs.CACHE_CONTROL] = self._cached
        if part.status in (200, 206):
            fields[hdrs.CONTENT_TYPE] = self._kind
        if part.status == 206:
            last = part.first + part.count - 1
            fields[hdrs.CONTENT_RANGE] = f"bytes {part.first}-{last}/{self._size}"
        elif part.status == 416:
            fields[hdrs.CONTENT_RANGE] = f"bytes */{self._size}"
        if part.status != 304:
            fields[hdrs.CONTENT_LENGTH] = str(part.count)
        return fields


class FileAnswer(web.StreamResponse):
    """A file as it is, never a compressed neighbour. ``whole``: all that was promised is sent.

    ``sent``: bytes of it so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.whole = False
        self.sent = 0

    async def send(
        self, request: web.Request, file: OpenFile, status: os.stat_result, heading: Heading
    ) -> None:
        """Answer with ``file``; the connection ends where the reader went away or stood still."""
        part = part_for(request, status, heading.tag)
        self.set_status(part.status)
        self.headers.update(heading.fields(part))
        try:
            await self.prepare(request)
            if part.count and request.method != hdrs.METH_HEAD:
                await self._send_bytes(request, file, part)
            await self.write_eof()
        except (ConnectionError, TimeoutError):
            self.force_close()
            if request.transport is not None:
                request.transport.abort()
        else:
            self.whole = True

    async def _send_bytes(self, request: web.Request, file: OpenFile, part: Part) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("The reader has gone.")
        while self.sent < part.count:
            count = min(PIECE_BYTES, part.count - self.sent)
            async with asyncio.timeout(patience_s(count)):
                moved = await self._send_piece(transport, file, part.first + self.sent, count)
            self.sent += moved
            if moved < count:
                raise ConnectionResetError("The file became shorter than promised.")

    async def _send_piece(
        self, transport: asyncio.Transport, file: OpenFile, first: int, count: int
    ) -> int:
        """Send so many bytes; returns how many there were."""
        loop = asyncio.get_running_loop()
        if transport.get_extra_info("sslcontext") is None:
            with contextlib.suppress(asyncio.SendfileNotAvailableError):
                # Each call names its offset, so a shared descriptor has no place of its own.
                return await loop.sendfile(transport, file, first, count, fallback=False)  # type: ignore[arg-type]
        moved = 0
        while moved < count:
            at, size = first + moved, min(_COPIED_BYTES, count - moved)
            data = await in_thread(partial(os.pread, file.descriptor, size, at))
            if not data:
                break
            await self.write(data)
            moved += len(data)
        # A reader that has gone looks like a filesystem without sendfile, too.
        if not (file.copied or transport.is_closing() or transport.get_extra_info("sslcontext")):
            file.copied = True
        return moved


def kind_of(name: str) -> str:
    """The media type for a file name; what is packed is bytes, whatever is inside."""
    kind, packed = mimetypes.guess_type(name)
    return kind if kind and not packed else _UNKNOWN
