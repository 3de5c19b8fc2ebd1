# SPDX-License-Identifier: GPL-3.0-or-later
"""The log on standard error: one plain line a request, and what the server has to say.

No header is looked at but the range, so no token can get into it. However much is asked or goes
wrong, the log grows by a bounded rate; what was left out is counted.
"""

from __future__ import annotations

import logging
import sys
import time

from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger

from ogrepo.serving.files import FileAnswer

LOG = logging.getLogger("ogrepo")
_LIBRARIES = ("aiohttp", "asyncio")
_BURST_BYTES = 256 << 10
_BYTES_A_SECOND = 12 << 10
_LONGEST = 8 << 10
_SHORTEST = 64  # time, an address, a path
_SELDOM_S = 60.0


class PlainLog(AbstractAccessLogger):
    """Says each answer of aiohttp's as ``log_request`` does."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        sent: int | None = response.content_length
        if isinstance(response, FileAnswer) and not response.whole:
            sent = None
        elif sent is None:
            sent = response.body_length
        log_request(request, response.status, sent, time)


def log_request(request: web.BaseRequest, status: int, sent: int | None, took_s: float) -> None:
    """Client, method, path, range, status, bytes (None = cut), time; of headers only the range."""
    if _is_spent():
        return
    words = (
        request.remote or "-",
        request.method,
        request.rel_url.raw_path[:512],
        request.headers.get(hdrs.RANGE, "-")[:64],
        str(status),
        "cut" if sent is None else str(sent),
        f"{took_s * 1000:.0f}ms",
    )
    text = " ".join([word.replace(" ", "") for word in words])
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "?" for char in text)
    LOG.info("%s", text)


def _is_spent() -> bool:
    """Whether nobody would get the line: it is counted then, and not made."""
    handlers = LOG.handlers
    return len(handlers) == 1 and isinstance(handlers[0], BoundedHandler) and handlers[0].skips()


class Seldom:
    """Says something at most once a minute, with how often it happened since."""

    def __init__(self, every_s: float = _SELDOM_S) -> None:
        self._every_s = every_s
        self._count = 0
        self._again_at = 0.0

    def warn(self, text: str) -> None:
        self._count += 1
        now = time.monotonic()
        if now < self._again_at:
            return
        self._again_at = now + self._every_s
        times = f" ({self._count} times since it was last said here)" if self._count > 1 else ""
        self._count = 0
        LOG.warning("%s%s", text, times)


class _Allowance:
    """Bytes that may be written now: a burst, refilled at a steady rate."""

    def __init__(self) -> None:
        self._left = float(_BURST_BYTES)
        self._at = time.monotonic()
        self.left_out = 0

    def has(self, size_bytes: int) -> bool:
        """Whether so many may be written; if not, that is counted."""
        now = time.monotonic()
        self._left = min(_BURST_BYTES, self._left + (now - self._at) * _BYTES_A_SECOND)
        self._at = now
        if self._left < size_bytes:
            self.left_out += 1
            return False
        return True

    def takes(self, size_bytes: int) -> bool:
        if not self.has(size_bytes):
            return False
        self._left -= size_bytes
        return True


class BoundedHandler(logging.StreamHandler):  # type: ignore[type-arg]  # bare in Python 3.11
    """Writes lines as far as the allowance goes; requests cannot use up that of warnings."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._requests, self._warnings = _Allowance(), _Allowance()

    def skips(self) -> bool:
        """Whether not even the shortest line of a request would be written now; it is counted."""
        return not self._requests.has(_SHORTEST)

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record)[:_LONGEST]

    def emit(self, record: logging.LogRecord) -> None:
        allowance = self._requests if record.levelno <= logging.INFO else self._warnings
        line = self.format(record)
        if not allowance.takes(len(line) + 1):
            return
        missed, allowance.left_out = allowance.left_out, 0
        if missed:
            told = {"msg": f"{missed} lines are left out here.", "exc_info": None, "args": ()}
            super().emit(logging.makeLogRecord({**record.__dict__, **told, "exc_text": None}))
        try:
            self.stream.write(line + self.terminator)
            self.flush()
        except Exception:  # noqa: BLE001 - as logging's own: a log that fails stops nothing
            self.handleError(record)


def start_logging() -> None:
    """Send the log to standard error, with the local time in front."""
    handler = BoundedHandler()
    form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    form.converter = time.localtime
    handler.setFormatter(form)
    LOG.setLevel(logging.INFO)
    for logger in (LOG, *(logging.getLogger(name) for name in _LIBRARIES)):
        logger.addHandler(handler)
        logger.propagate = False
