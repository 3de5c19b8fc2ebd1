# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading from a web server: byte ranges of an image, and small files whole.

``HttpSource`` has the shape of the image reader's frame source. It trusts nothing that the
server says: a range must come back as that range, of that length, of the same file as before.
Whether the bytes are the right ones is decided by whoever holds their digests.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from oglib import durable
from oglib.connection import USUAL, Connection
from oglib.errors import OgErr, TransferError
from oglib.transfer.address import HttpAddress, parse_address
from oglib.transfer.answers import (
    Hearing,
    Interrupted,
    StatusError,
    read_body,
    refuse_unless,
    too_long,
)
from oglib.transfer.client import HttpClient, Request
from oglib.transfer.patience import Patience

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_EMPTY_RANGE = re.compile(r"bytes \*/0")
_STEP_BYTES = 4 << 20
_GONE = (404, 410)
_SURE_TIMES = 4
_SURE_S = 60.0
_T = TypeVar("_T")


class Got:
    """A range as far as it has come, whoever brought which part of it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.have = 0

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.have += len(piece)

    def joined(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class HttpSource:
    """A file on a web server, read by ranges from any number of threads.

    Opening asks for the first byte, which proves that the server can do ranges and tells the
    size. ``expected_size`` is checked at once where it is known. ``immutable``: the address holds
    the digest of what is there, so no entity tag is needed to know that it is still the same.
    ``client``: who has connections to that server already; they are closed with the source.
    """

    def __init__(
        self,
        url: str,
        *,
        expected_size: int | None = None,
        connection: Connection = USUAL,
        immutable: bool = False,
        client: HttpClient | None = None,
    ) -> None:
        self._address = parse_address(url)
        self._client = client or HttpClient(self._address, connection=connection)
        self._immutable = immutable
        self._etag = ""
        try:
            self.size_bytes = self._measure()
            if expected_size is not None and self.size_bytes != expected_size:
                raise TransferError(
                    f"{self._address} has {self.size_bytes} bytes instead of {expected_size}.",
                    hint="The file on the server is incomplete or another version; "
                    "check it there with `ogrepo verify`.",
                    code=OgErr.IMAGE,
                )
        except BaseException:
            if client is None:
                self._client.close()
            raise

    def describe(self) -> str:
        return str(self._address)

    def close(self) -> None:
        """Close all connections; reads in other threads fail at once."""
        self._client.close()

    def __enter__(self) -> HttpSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or ``TransferError``."""
        got = Got()
        self.read_into(got, offset, length)
        return got.joined()

    def read_into(self, got: Got, offset: int, length: int) -> None:
        """What ``got`` lacks of that range; where it fails, what came until then is in it."""
        if length < 0 or offset < 0 or offset + length > self.size_bytes:
            raise TransferError(
                f"{self._address} ends at byte {self.size_bytes}, but bytes "
                f"{offset} to {offset + length} were asked for.",
                hint="The frame table does not belong to this image; fetch both again.",
                code=OgErr.IMAGE,
            )

        def make() -> Request:
            first = offset + got.have
            headers = {"range": f"bytes={first}-{offset + length - 1}"}
            if self._etag:
                # Unlike If-Range this never makes the server send the whole file instead.
                headers["if-match"] = self._etag
            return Request("GET", self._address, headers)

        def take(heard: Hearing) -> None:
            if heard.response.status in _GONE:
                raise self._gone(heard.response.status)
            self._check_range(heard, offset + got.have, offset + length)
            while got.have < length and (piece := heard.piece(got.have)):
                got.add(piece)
            if got.have < length:
                raise Interrupted(f"the connection ended at byte {offset + got.have}")

        if got.have < length:
            self._client.exchange(make, take)

    def _measure(self) -> int:
        request = Request("GET", self._address, {"range": "bytes=0-0"})

        def take(heard: Hearing) -> int:
            response = heard.response
            answered = response.headers.get("Content-Range", "")
            if response.status == 416 and _EMPTY_RANGE.fullmatch(answered):
                return 0
            size = self._check_range(heard, 0, 1)
            if not self._immutable:
                self._etag = _strong(response.headers.get("ETag", ""))
            read_body(heard, self._address, 1)
            return size

        return self._client.exchange(lambda: request, take)

    def _check_range(self, heard: Hearing, start: int, stop: int) -> int:
        """The size of the whole file, when the answer is the range asked for and nothing else."""
        response = heard.response
        if response.status == 412:
            raise self._changed()
        refuse_unless(heard, self._address, (200, 206))
        if response.status == 200:
            raise TransferError(
                f"{self._address} was answered with a whole file or page instead of a range.",
                hint="Check the address; the web server must support byte ranges.",
            )
        answered = response.headers.get("Content-Range", "")
        match = _CONTENT_RANGE.fullmatch(answered)
        encoding = response.headers.get("Content-Encoding", "identity")
        wrong = (
            match is None
            or (int(match[1]), int(match[2]) + 1) != (start, stop)
            or response.length != stop - start
            or encoding != "identity"
        )
        if wrong or match is None:
            raise TransferError(
                f"{self._address} was asked for bytes {start} to {stop - 1} and answered with "
                f"'{answered[:80]}', length {response.length}, encoding {encoding[:40]}.",
                hint="The web server or a proxy before it does not do byte ranges properly.",
            )
        same = _strong(response.headers.get("ETag", "")) == self._etag
        size = int(match[3])
        if (self._etag and not same) or size != getattr(self, "size_bytes", size):
            raise self._changed()
        return size

    def _gone(self, status: int) -> Interrupted:
        """It was there when this was opened, so a server at its limits may be what says no."""
        return Interrupted(
            f"it was there, and now the server says {status}",
            hint="It may have been removed or replaced there; run the same command again.",
            code=OgErr.NOTFOUND,
        )

    def _changed(self) -> TransferError:
        return TransferError(
            f"{self._address} was replaced on the server while it was being read.",
            hint="Run the same command again; it takes the new version.",
            code=OgErr.IMAGE,
        )


def _strong(etag: str) -> str:
    """An entity tag that promises equal bytes; weak ones promise nothing of use here."""
    return "" if etag.startswith("W/") else etag


def fetch(
    url: str,
    *,
    limit_bytes: int,
    connection: Connection = USUAL,
) -> bytes:
    """A small file whole, in memory: manifests, signatures, layouts. Never a web page."""
    address = parse_address(url)
    client = HttpClient(address, connection=connection)
    try:
        return fetch_with(client, address, limit_bytes=limit_bytes)
    finally:
        client.close()


def fetch_with(
    client: HttpClient, address: HttpAddress, *, limit_bytes: int, accept: str = "*/*"
) -> bytes:
    """``fetch`` over connections that are kept."""
    request = Request("GET", address, {"accept": accept})

    def take(heard: Hearing) -> bytes:
        refuse_unless(heard, address, (200,))
        if heard.response.headers.get_content_type() == "text/html":
            raise TransferError(
                f"{address} was answered with a web page instead of a file.",
                hint="Check the address; a proxy or login page may stand in between.",
            )
        return read_body(heard, address, limit_bytes)

    return client.exchange(lambda: request, take)


def unless_absent(request: Callable[[], _T], *, times: int = _SURE_TIMES) -> _T | None:
    """What ``request`` gives, None where there is no such file.

    For what is asked in the middle of something that is there: a server at its limits may say 404
    of what it has. So an absence is believed when it was said ``times`` times, with pauses.
    """
    patience = Patience(_SURE_S)
    for attempt in range(1, times + 1):
        try:
            return request()
        except StatusError as error:
            if error.status not in _GONE:
                raise
        if attempt < times:
            time.sleep(patience.next_delay() or 0)
    return None


def download(
    url: str,
    path: Path,
    *,
    limit_bytes: int,
    expected_size: int | None = None,
    on_bytes: Callable[[int], None] | None = None,
    connection: Connection = USUAL,
) -> int:
    """Bring a file to ``path``, which appears only when it is complete; returns its size.

    It is written beside as ``.part``, flushed, then renamed. What it contains is for the
    caller to verify.
    """
    part = path.with_name(path.name + ".part")
    source = HttpSource(url, expected_size=expected_size, connection=connection)
    with source:
        if source.size_bytes > limit_bytes:
            raise too_long(parse_address(url), limit_bytes)
        try:
            with part.open("wb") as file:
                for offset in range(0, source.size_bytes, _STEP_BYTES):
                    step = source.read(offset, min(_STEP_BYTES, source.size_bytes - offset))
                    file.write(step)
                    if on_bytes is not None:
                        on_bytes(len(step))
                durable.settle(file)
            durable.show(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    return source.size_bytes
