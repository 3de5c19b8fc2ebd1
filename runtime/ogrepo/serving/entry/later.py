# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers without a request: who finds no place is told to come back, who is slow is told so."""

from __future__ import annotations

import asyncio

from ogrepo.refusal import Refusal, as_response

HEADER_S = 10.0
_LINGER_S = 1.0


def _raw_answer(status: int, reason: str, message: str) -> bytes:
    answer = as_response(Refusal(status, message))
    body = answer.body
    assert isinstance(body, bytes)  # noqa: S101 - a JSON response is bytes
    after = answer.headers.get("Retry-After")
    later = f"Retry-After: {after}\r\n" if after else ""
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n{later}Connection: close\r\n\r\n"
    )
    return head.encode() + body


LATER = _raw_answer(503, "Service Unavailable", "The repository has no place free just now.")
TOO_SLOW = _raw_answer(408, "Request Timeout", f"The request took more than {HEADER_S:g} s.")


class Refused(asyncio.Protocol):
    """A connection that is told to come back, after its request where one arrives at once.

    An answer that is sent before the request was read can be lost: the kernel resets a connection
    that is closed with bytes unread.
    """

    def __init__(self, others: dict[Refused, None]) -> None:
        """``others``: those that are told just now; this one is among them until it closes."""
        self._others = others
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answered = False
        others[self] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's always is
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(_LINGER_S, self.finish)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - nothing of it is needed
        self._tell()

    def _tell(self) -> None:
        if self._answered or self._transport is None:
            return
        self._answered = True
        self._transport.write(LATER)
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def finish(self) -> None:
        """Say it if it was not said yet, and close."""
        self._tell()
        self.forget()
        if self._transport is not None:
            self._transport.close()

    def forget(self) -> None:
        self._others.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        self.forget()
