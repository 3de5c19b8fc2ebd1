# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as HTTP answers: which status fits, and the JSON object that carries the words."""

from __future__ import annotations

import errno

from aiohttp import web

from oglib.errors import ImageError, NotFoundError, OgErr, OgError, UsageError
from ogrepo.intake.tokens import TokenError
from ogrepo.shortage import is_shortage


class Refusal(OgError):
    """An error whose HTTP status is known where it is raised."""

    def __init__(
        self, status: int, message: str, *, hint: str = "", code: OgErr = OgErr.REPO
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status

    @property
    def retry_after_s(self) -> int:
        """When a busy server may be asked again."""
        return 1


def status_of(error: OgError) -> int:
    """The HTTP status for any error of the layers below."""
    if isinstance(error, Refusal):
        return error.status
    if is_shortage(error):
        return 503
    if error.code is OgErr.LOCKED:
        return 423
    by_kind = ((TokenError, 401), (NotFoundError, 404), (UsageError, 400), (ImageError, 422))
    return next((status for kind, status in by_kind if isinstance(error, kind)), 500)


def from_os_error(error: OSError | MemoryError) -> Refusal:
    """What is answered when the system refused something; its words, never a path."""
    if is_shortage(error):
        return Refusal(503, "The repository is short of files or memory just now.")
    words = str(getattr(error, "strerror", "") or "for an unknown reason")
    if isinstance(error, PermissionError):
        return Refusal(403, "The repository may not read this.", hint="Mend its mode there.")
    if getattr(error, "errno", None) == errno.ENOSPC:
        return Refusal(507, "The repository's disk is full.", code=OgErr.NOTWRITE)
    return Refusal(500, f"The repository failed: {words}.")


def as_response(error: OgError) -> web.Response:
    """The answer for an error; a busy server says when to come back."""
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="ogrepo"'
    if status == 503:
        headers["Retry-After"] = str(error.retry_after_s if isinstance(error, Refusal) else 1)
    return web.json_response(error.as_dict(), status=status, headers=headers)
