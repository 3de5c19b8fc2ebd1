# SPDX-License-Identifier: GPL-3.0-or-later
"""A request's body into a file: at its place, with bounded memory, by one writer at a time.

The loop never touches the disk itself: a slow disk must not hold up the other PCs.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from aiohttp import web

from oglib.errors import UsageError
from ogrepo.refusal import Refusal

PATIENCE_S = 60.0  # within each of these, LEAST_BYTES or the end must arrive
LEAST_BYTES = 64 << 10
SMALL_BODY_S = 10.0
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


async def pour(
    request: web.Request,
    file: BinaryIO,
    position: int,
    limit_bytes: int,
    grow: Callable[[int], None],
) -> int:
    """Write the body behind ``position``; returns the size that the file then has.

    ``grow`` is called in a thread before so many bytes are written, and may refuse them. A body
    that drips in is refused as well: it would hold its place for ever.
    """
    loop = asyncio.get_running_loop()
    batch, fresh = bytearray(), 0
    due = loop.time() + PATIENCE_S
    while True:
        try:
            async with asyncio.timeout_at(due):
                piece = await request.content.readany()
        except TimeoutError:
            said = f"Less than {LEAST_BYTES} bytes came within {PATIENCE_S:g} s."
            raise Refusal(408, said) from None
        batch += piece
        fresh += len(piece)
        if fresh >= LEAST_BYTES:
            fresh, due = 0, loop.time() + PATIENCE_S
        if batch and (len(batch) >= _BATCH_BYTES or not piece):
            full, batch = batch, bytearray()
            position += len(full)
            if position > limit_bytes:
                raise Refusal(413, f"More than {limit_bytes} bytes are not taken here.")
            await in_thread(_writer(file, full, grow))
            due = loop.time() + PATIENCE_S  # a slow disk is not the sender's fault
        if not piece:
            return position


def _writer(file: BinaryIO, data: bytearray, grow: Callable[[int], None]) -> Callable[[], None]:
    def write() -> None:
        grow(len(data))
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]

    return write


async def read_object(request: web.Request, wanted: str) -> dict[str, object]:
    """The small JSON object in the body; ``wanted`` shows one to whoever sent another thing."""
    try:
        async with asyncio.timeout(SMALL_BODY_S):
            raw = await request.read()
    except TimeoutError:
        raise Refusal(408, f"The request took more than {SMALL_BODY_S:g} s.") from None
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):  # no JSON, no text, or nested without end
        told = None
    if not isinstance(told, dict):
        raise UsageError(f"A JSON object like {wanted} is wanted here.")
    return told
