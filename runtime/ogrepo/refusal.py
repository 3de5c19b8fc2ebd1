# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as HTTP answers: which status fits, and the JSON object that carries the words."""

from __future__ import annotations

from aiohttp import web

from oglib.errors import ImageError, NotFoundError, OgErr, OgError, UsageError
from ogrepo.tokens import TokenError


class Refusal(OgError):
    """An error whose HTTP status is known where it is raised."""

    def __init__(
        self, status: int, message: str, *, hint: str = "", code: OgErr = OgErr.REPO
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status


def status_of(error: OgError) -> int:
    """The HTTP status for any error of the layers below."""
    if isinstance(error, Refusal):
        return error.status
    if error.code is OgErr.LOCKED:
        return 423
    by_kind = ((TokenError, 401), (NotFoundError, 404), (UsageError, 400), (ImageError, 422))
    return next((status for kind, status in by_kind if isinstance(error, kind)), 500)


def as_response(error: OgError) -> web.Response:
    """The answer for an error; a busy server says when to come back."""
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="ogrepo"'
    if status == 503:
        headers["Retry-After"] = "1"
    return web.json_response(error.as_dict(), status=status, headers=headers)
