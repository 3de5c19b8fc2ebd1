# SPDX-License-Identifier: GPL-3.0-or-later
"""What is around every handler: its connection, the end of its answer, and errors as answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from oglib.errors import OgErr, OgError
from ogrepo.refusal import Refusal, as_response, from_os_error
from ogrepo.serving.accesslog import LOG
from ogrepo.serving.connection import Connection
from ogrepo.serving.files import FileAnswer

_ANSWER_S = 60.0  # for taking an answer that is no file
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def exchange(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One request from its whole header to the last byte of its answer."""
    connection = request.protocol
    assert isinstance(connection, Connection)  # noqa: S101 - the door makes no others
    connection.begin(has_body=request.body_exists)
    try:
        response = await handler(request)
        if not isinstance(response, FileAnswer):
            await _send(request, response)
    except ConnectionError:
        response = as_response(Refusal(400, "The connection ended before the request did."))
        response.force_close()
    finally:
        connection.end()
    return response


async def _send(request: web.Request, response: web.StreamResponse) -> None:
    """Send an answer that is in memory, to a reader that takes it in time."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            await response.prepare(request)
            await response.write_eof()
    except (TimeoutError, ConnectionError):
        response.force_close()
        if request.transport is not None:
            request.transport.abort()


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure becomes the JSON of the contract; only what we did not foresee is logged."""
    try:
        return await handler(request)
    except OgError as error:
        response = as_response(error)
        if response.status >= 500 and response.status != 503:
            LOG.warning("%s", error)
        return response
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = OgErr.NOTFOUND if error.status == 404 else OgErr.FORMAT
        return as_response(Refusal(error.status, f"{error.reason}.", code=code))
    except web.RequestPayloadError:
        return as_response(Refusal(400, "The request's body is not proper HTTP."))
    except (OSError, MemoryError) as error:
        if isinstance(error, ConnectionError):
            raise
        refused = from_os_error(error)
        if refused.status == 500:
            LOG.warning("%s %s: %s", request.method, request.rel_url.raw_path, error)
        return as_response(refused)
