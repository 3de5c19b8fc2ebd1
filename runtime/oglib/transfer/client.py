# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP exchange at a time with one server, repeated with patience until it works.

Owns the line between what may be tried again (a cut, a stall, a busy server) and what may not
(a refusal), and turns both into one ``TransferError`` that names the address, the cause and
the remedy. It does not know images, ranges or uploads.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from oglib.connection import USUAL, Connection
from oglib.errors import TransferError
from oglib.transfer.address import HttpAddress
from oglib.transfer.answers import (
    ERROR_BODY_BYTES,
    Hearing,
    Interrupted,
    Queued,
    read_body,
    refuse_unless,
)
from oglib.transfer.link import Link, LinkPool, OutOfTime
from oglib.transfer.patience import Patience
from oglib.wording.waits import Wait, waiting

_SENT_BYTES = 64 << 10
_LEAST_SPAN_S = 1.0
_SHOWN = 80
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out. Header names are lower case."""

    method: str
    address: HttpAddress
    headers: Mapping[str, str]
    body: bytes | memoryview = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """A small answer, held in memory."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Handler = Callable[[Hearing], _T]


class NoTurnError(TransferError):
    """The server has a queue, and this PC's turn did not come; ``again_s``: when to ask again."""

    def __init__(self, address: HttpAddress, queued: Queued, waited_s: float) -> None:
        waited = f", which was waited for {waited_s / 3600:.2g} h" if waited_s else ""
        super().__init__(
            f"{address.authority} lets so many PCs at a time read images: {queued}{waited}.",
            hint="Run the same command again when fewer PCs are restored.",
        )
        self.again_s = queued.retry_after_s


class HttpClient:
    """Exchanges with the server of one address; safe for many threads."""

    def __init__(self, address: HttpAddress, connection: Connection = USUAL) -> None:
        self.address = address
        self.stall_s = connection.stall_s
        self.deadline_s = connection.deadline_s
        self._rate = connection.slowest_rate
        self._queue_s = connection.queue_s
        self._pool = LinkPool(address, connection)

    def close(self) -> None:
        self._pool.close()

    def exchange(self, make: Callable[[], Request], handle: Handler[_T]) -> _T:
        """Send what ``make`` gives until ``handle`` has taken an answer whole.

        ``make`` is asked anew for each attempt, so that a half-read answer is continued. Raises
        ``TransferError`` when the server refused, or when the deadline passed without progress.
        A turn in the server's queue is waited for as long as the connection says.
        """
        with waiting(self._waited_for) as wait:
            patience = Patience(self.deadline_s, moved=wait.moved, rate=self._rate)
            return self._tried(make, handle, patience, wait)

    @property
    def _waited_for(self) -> str:
        return f"{self.address.authority} to answer"

    def _tried(
        self, make: Callable[[], Request], handle: Handler[_T], patience: Patience, wait: Wait
    ) -> _T:
        queue_end = time.monotonic() + self._queue_s
        while True:
            request = make()
            self._refuse_when_closed(request)
            try:
                return self._once(request, handle, patience)
            except Queued as queued:
                self._refuse_when_closed(request)
                if time.monotonic() >= queue_end:
                    raise NoTurnError(request.address, queued, self._queue_s) from queued
                patience.renew()
                wait.what = _turn(request.address, queued.before)
                self._pool.closed.wait(patience.turn_delay(queued.retry_after_s))
            except Interrupted as cause:
                self._refuse_when_closed(request)
                self._pool.drop_idle()
                wait.what = self._waited_for
                delay = patience.next_delay(cause.retry_after_s)
                if delay is None:
                    raise self._given_up(request, cause) from cause
                self._pool.closed.wait(delay)

    def _refuse_when_closed(self, request: Request) -> None:
        if self._pool.closed.is_set():
            raise TransferError(
                f"{request.address} was closed while it was in use.",
                hint="This follows from an earlier error or an abort.",
            )

    def _given_up(self, request: Request, cause: Interrupted) -> TransferError:
        verb = "Reading" if request.method in ("GET", "HEAD") else "Sending to"
        return TransferError(
            f"{verb} {request.address} failed: {cause}; new attempts for {self.deadline_s:g} s "
            "did not help.",
            hint=cause.hint
            or f"Check the network cable and that the repository at {request.address.authority} "
            "runs, then run the same command again.",
            code=cause.code,
        )

    def _once(self, request: Request, handle: Handler[_T], patience: Patience) -> _T:
        with self._pool.link() as link:
            kept = link.used
            try:
                response = self._converse(link, request, patience)
            except (ConnectionError, http.client.BadStatusLine) as cause:
                if not kept:
                    raise _judged(cause, request.address) from cause
                # The server closed a connection that lay idle: that is no failure yet.
                link.close()
                response = self._converse_or_fail(link, request, patience)
            except (OSError, http.client.HTTPException) as cause:
                raise _judged(cause, request.address) from cause
            try:
                taken = handle(Hearing(response, link, patience, len(request.body)))
                if response.length == 0:
                    response.read()  # tells http.client that the connection is free again
            except (OSError, http.client.HTTPException) as cause:
                raise _judged(cause, request.address) from cause
            if not response.isclosed():
                link.close()
            return taken

    def _converse_or_fail(
        self, link: Link, request: Request, patience: Patience
    ) -> http.client.HTTPResponse:
        try:
            return self._converse(link, request, patience)
        except (OSError, http.client.HTTPException) as cause:
            raise _judged(cause, request.address) from cause

    def _converse(
        self, link: Link, request: Request, patience: Patience
    ) -> http.client.HTTPResponse:
        """The answer's header; each step has ``stall_s``, the last ones what patience is left."""

        def span() -> float:
            return min(self.stall_s, max(_LEAST_SPAN_S, patience.left_s))

        link.begin(span())
        headers = {
            "host": request.address.authority,
            "accept-encoding": "identity",
            "user-agent": "oglib",
            **request.headers,
        }
        has_body = request.method in ("PUT", "POST")
        if has_body:
            headers["content-length"] = str(len(request.body))
        link.putrequest(
            request.method, request.address.target, skip_host=True, skip_accept_encoding=True
        )
        for name, value in headers.items():
            link.putheader(name, value)
        link.endheaders()
        if has_body and len(request.body):
            try:
                _send(link, request.body, patience)
            except (BrokenPipeError, ConnectionResetError) as cut:
                # A server that refuses does so before it has read everything: hear it out.
                try:
                    link.begin(span())
                    return link.getresponse()
                except (OSError, http.client.HTTPException):
                    raise cut from None
        link.begin(span())
        return link.getresponse()

    def call(
        self,
        method: str,
        address: HttpAddress,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | memoryview = b"",
        limit_bytes: int = ERROR_BODY_BYTES,
    ) -> Answer:
        """One small exchange: the answer of a 2xx status, at most ``limit_bytes`` of it."""
        request = Request(method, address, headers or {}, body)

        def take(heard: Hearing) -> Answer:
            refuse_unless(heard, address, (200, 201, 202, 204))
            whole = read_body(heard, address, limit_bytes)
            return Answer(heard.response.status, _lower(heard.response), whole)

        return self.exchange(lambda: request, take)


def _turn(address: HttpAddress, before: int) -> str:
    """What is waited for, as it is told."""
    if not before:
        return f"its turn at {address.authority}: this PC is the next"
    others = "1 PC" if before == 1 else f"{before} PCs"
    return f"its turn at {address.authority}: {others} before this one"


def _send(link: Link, body: bytes | memoryview, patience: Patience) -> None:
    view = memoryview(body)
    for start in range(0, len(view), _SENT_BYTES):
        link.send(view[start : start + _SENT_BYTES])
        patience.reached(min(start + _SENT_BYTES, len(view)))


def _lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _judged(cause: OSError | http.client.HTTPException, address: HttpAddress) -> Exception:
    """What a new attempt may cure is ``Interrupted``; an answer that is none stays one."""
    if isinstance(cause, (OSError, http.client.IncompleteRead)):
        return Interrupted(_said(cause))
    return TransferError(
        f"{address} was answered in a way that makes no sense: {str(cause)[:_SHOWN]}.",
        hint="Check that the address and its port lead to a web server.",
    )


def _said(cause: OSError | http.client.HTTPException) -> str:
    if isinstance(cause, OutOfTime):
        return str(cause)
    if isinstance(cause, http.client.IncompleteRead):
        return "the connection ended in the middle"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror[0].lower() + cause.strerror[1:]
    return "the server closed the connection without an answer"
