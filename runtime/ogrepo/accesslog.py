# SPDX-License-Identifier: GPL-3.0-or-later
"""The log on standard error: one plain line a request, and what the server has to say.

No header is looked at but the range, so no token can get into it.
"""

from __future__ import annotations

import logging
import sys
import time

from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger

from ogrepo.files import FileAnswer

LOG = logging.getLogger("ogrepo")


class PlainLog(AbstractAccessLogger):
    """Time, client, method, path, range, status, bytes. No header but the range is looked at."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        sent = response.content_length
        if isinstance(response, FileAnswer) and not response.whole:
            size = "cut"
        else:
            size = str(response.body_length if sent is None else sent)
        asked = request.headers.get(hdrs.RANGE, "-")
        words = (
            request.remote or "-",
            request.method,
            request.rel_url.raw_path[:512],
            asked[:64],
            str(response.status),
            size,
            f"{time * 1000:.0f}ms",
        )
        text = " ".join(word.replace(" ", "") for word in words)
        self.logger.info("%s", "".join(c if c.isprintable() else "?" for c in text))


def start_logging() -> None:
    """Send the log to standard error, with the local time in front."""
    handler = logging.StreamHandler(sys.stderr)
    form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    form.converter = time.localtime
    handler.setFormatter(form)
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
