# SPDX-License-Identifier: GPL-3.0-or-later
"""A request's body into a file: at its place, with bounded memory, by one writer at a time.

The loop never touches the disk itself: a slow disk must not hold up the other PCs.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from aiohttp import web

from oglib.errors import OgErr
from ogrepo.refusal import Refusal

SILENCE_S = 60.0
SPARE_BYTES = 64 << 20  # a full disk would stop the whole machine, not only this upload
_BATCH_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(?:\*|\d{1,15})", re.ASCII)
_T = TypeVar("_T")


async def in_thread(work: Callable[[], _T]) -> _T:
    """Run blocking work in a thread; a cancelled caller still waits until it has ended."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    return future.result()


class Turnstile:
    """Lets one request at a time write, and always the latest.

    A PC that comes back on a new connection must not wait for its old one, which looks alive
    to the server for as long as the cable is out.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        me = asyncio.current_task()
        for other in self._tasks:
            other.cancel()
        if me is not None:
            self._tasks.add(me)
        try:
            async with self._lock:
                yield
        finally:
            if me is not None:
                self._tasks.discard(me)


def place_of(request: web.Request) -> tuple[int, int | None]:
    """Where the body begins in the file, and its length when the request says so."""
    said = request.headers.get("Content-Range")
    if said is None:
        return 0, request.content_length
    match = _CONTENT_RANGE.fullmatch(said)
    if match is None or int(match[2]) < int(match[1]):
        raise Refusal(400, "The Content-Range of this piece cannot be understood.")
    start = int(match[1])
    return start, int(match[2]) + 1 - start


def open_at(path: Path, start: int) -> BinaryIO:
    """The file, cut off at ``start``, which must not lie behind its end."""
    path.touch(mode=0o600)
    have = path.stat().st_size
    if start > have:
        raise Refusal(
            409,
            f"This piece begins at byte {start}, but only {have} bytes arrived before it.",
            hint="Begin the capture again.",
        )
    file = path.open("r+b", buffering=0)
    file.truncate(start)
    file.seek(start)
    return file


async def pour(request: web.Request, file: BinaryIO, position: int, limit_bytes: int) -> int:
    """Write the body behind ``position``; returns the size that the file then has."""
    batch = bytearray()
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                piece = await request.content.readany()
        except TimeoutError:
            raise Refusal(408, f"Nothing came for {SILENCE_S:g} s.") from None
        batch += piece
        if batch and (len(batch) >= _BATCH_BYTES or not piece):
            full, batch = batch, bytearray()
            position += len(full)
            if position > limit_bytes:
                raise Refusal(413, f"More than {limit_bytes} bytes are not taken here.")
            await in_thread(_writer(file, full))
        if not piece:
            return position


def _writer(file: BinaryIO, data: bytearray) -> Callable[[], None]:
    def write() -> None:
        check_room(file.fileno(), len(data))
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]

    return write


def check_room(where: Path | int, size_bytes: int) -> None:
    """Raise when the filesystem has no room for this much more."""
    if shutil.disk_usage(where).free < size_bytes + SPARE_BYTES:
        raise Refusal(
            507,
            "The repository's disk is full.",
            hint="Remove images that are no longer needed there, then capture again.",
            code=OgErr.NOTWRITE,
        )
