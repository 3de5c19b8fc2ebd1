# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server answered: taken within the exchange's pace and a limit, refused or accepted.

A busy server's answer is ``Interrupted``, which a new attempt may cure; any other refusal is final.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, replace

from oglib.errors import OgErr, TransferError
from oglib.transfer.address import HttpAddress
from oglib.transfer.link import Link
from oglib.transfer.patience import Patience

_PIECE_BYTES = 1 << 20
ERROR_BODY_BYTES = 64 << 10
_MOST_BEFORE = 1_000_000
_BUSY = (408, 425, 429, 500, 502, 503, 504)


class StatusError(TransferError):
    """The server refused; ``status`` says how, and repeating will not change its mind."""

    def __init__(self, message: str, *, status: int, hint: str, code: OgErr) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status


class TooLongError(TransferError):
    """What came, or was announced, is more than is allowed for it."""


class Interrupted(Exception):
    """An exchange broke off in a way that a new attempt may cure."""

    def __init__(
        self,
        cause: str,
        *,
        retry_after_s: float = 0.0,
        hint: str = "",
        code: OgErr = OgErr.REPO,
    ) -> None:
        super().__init__(cause)
        self.retry_after_s = retry_after_s
        self.hint = hint
        self.code = code


class Queued(Interrupted):
    """It is not this PC's turn at the server yet: so many wait ``before`` it."""

    def __init__(self, before: int, retry_after_s: float) -> None:
        super().__init__(f"{before} PCs wait before this one", retry_after_s=retry_after_s)
        self.before = before


@dataclass(frozen=True, slots=True)
class Hearing:
    """An answer that is being taken: its header, the connection it comes by, and the patience.

    ``sent_bytes``: what went out before it.
    """

    response: http.client.HTTPResponse
    link: Link
    patience: Patience
    sent_bytes: int = 0

    def piece(self, position: int) -> bytes:
        """What has arrived, never waiting to fill a buffer; ``position``: what was there before.

        Empty at the end. Within the exchange's pace, or ``OSError``.
        """
        piece = self.response.read1(_PIECE_BYTES)
        self.link.took(len(piece))
        self.patience.reached(self.sent_bytes + position + len(piece))
        return piece


def read_body(heard: Hearing, address: HttpAddress, limit_bytes: int) -> bytes:
    """The whole body, which must be as long as announced and within the limit."""
    announced = heard.response.length
    if announced is not None and announced > limit_bytes:
        raise too_long(address, limit_bytes)
    body = bytearray()
    while piece := heard.piece(len(body)):
        body += piece
        if len(body) > limit_bytes:
            raise too_long(address, limit_bytes)
        if len(body) == announced:
            break
    if announced is not None and len(body) != announced:
        raise Interrupted(f"the connection ended after {len(body)} of {announced} bytes")
    return bytes(body)


def too_long(address: HttpAddress, limit_bytes: int) -> TooLongError:
    return TooLongError(
        f"{address} is longer than the {limit_bytes} bytes that are allowed here.",
        hint="Check the address, and that no web proxy or portal answers in its place.",
    )


def refuse_unless(heard: Hearing, address: HttpAddress, accepted: tuple[int, ...]) -> None:
    """Raise the error that fits any other status; a busy server's is ``Interrupted``."""
    response = heard.response
    status = response.status
    if status in accepted:
        return
    stated = _stated_error(heard, address)
    if status in _BUSY and stated.before is not None:
        raise Queued(stated.before, _seconds(response.headers.get("Retry-After", "")))
    if status in _BUSY:
        raise Interrupted(
            stated.message or f"the server answered {status} {response.reason}",
            retry_after_s=_seconds(response.headers.get("Retry-After", "")),
        )
    if stated.message:
        text = f"The repository at {address.authority} refused: {stated.message}"
        raise StatusError(text, status=status, hint=stated.hint, code=stated.code)
    where = f" to {response.headers['Location']}" if response.headers.get("Location") else ""
    raise StatusError(
        f"{address} was answered with {status} {response.reason}{where}.",
        status=status,
        hint="Check the name and that the address leads to an ogLive repository.",
        code=OgErr.NOTFOUND if status in (404, 410) else OgErr.REPO,
    )


@dataclass(frozen=True, slots=True)
class _Stated:
    """``before``: PCs that wait for the same before this one; None: nobody waits for a turn."""

    message: str = ""
    hint: str = ""
    code: OgErr = OgErr.REPO
    before: int | None = None


def _stated_error(heard: Hearing, address: HttpAddress) -> _Stated:
    """What ogrepo says about an error in its JSON body; empty where it is another server."""
    nothing = _Stated()
    if heard.response.headers.get_content_type() != "application/json":
        return nothing
    # An error is no progress, however long its text is.
    aside = replace(heard, patience=Patience(heard.patience.left_s))
    try:
        said = json.loads(read_body(aside, address, ERROR_BODY_BYTES))
        error = said["error"]
        words = [" ".join(str(error.get(key, "")).split())[:500] for key in ("message", "hint")]
        return _Stated(words[0], words[1], OgErr(error["code"]), _before(said))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return nothing
    except (OSError, http.client.HTTPException, Interrupted, TransferError):
        return nothing


def _before(said: dict[str, object]) -> int | None:
    queue = said.get("queue")
    before = queue.get("before") if isinstance(queue, dict) else None
    return before if isinstance(before, int) and 0 <= before < _MOST_BEFORE else None


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
