# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands what PCs report on to `ognetboot serve --behind` on this machine, where that runs.

PCs know one address, that of the files; what they say there (`/netboot/do/`) is no business of the
repository. Nothing of it is looked at or logged here: a password may be in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re

from aiohttp import web

from ogrepo.refusal import Refusal

PORT = 8069
_WAIT_S = 10.0
_BODY_BYTES = 8 << 10
_HEAD_BYTES = 8 << 10
_ANSWER_BYTES = 256 << 10
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2}) ")


async def hand_on(request: web.Request) -> web.Response:
    """The answer of the program behind; 503 where none runs or it does not answer."""
    body = await request.content.read(_BODY_BYTES + 1)
    while not request.content.at_eof() and len(body) <= _BODY_BYTES:
        body += await request.content.read(_BODY_BYTES + 1 - len(body))
    if len(body) > _BODY_BYTES:
        raise Refusal(413, "The form is too long.")
    try:
        async with asyncio.timeout(_WAIT_S):
            status, text = await _asked(request, body)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
        raise Refusal(
            503, "Nothing hears PCs here.", hint="`ognetboot serve --behind 8069` does."
        ) from None
    return web.Response(
        status=status,
        body=text or None,
        content_type="text/plain" if text else None,
        headers={"Cache-Control": "no-store"},
    )


async def _asked(request: web.Request, body: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT, limit=_HEAD_BYTES)
    try:
        # The target as it came; aiohttp's parser has judged that it is one word.
        head = (
            f"{request.method} {request.raw_path} HTTP/1.1\r\nHost: localhost\r\n"
            f"X-Real-IP: {request.remote}\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode("utf-8", "surrogateescape") + body)
        await writer.drain()
        found = _STATUS.match(await reader.readuntil(b"\r\n\r\n"))
        text = b""
        while piece := await reader.read(_HEAD_BYTES):
            text += piece
            if len(text) > _ANSWER_BYTES:
                raise ValueError
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if found is None:
        raise ValueError
    return int(found[1]), text
