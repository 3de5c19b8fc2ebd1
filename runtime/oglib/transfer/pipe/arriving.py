# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sender sends, in the shape of a frame source: read once from its beginning to its end.

The last stretch stays in memory, for whoever looks at the head of an image before reading it. How
long it will be is not known before its end, where the sender says its digest.
"""

from __future__ import annotations

import json
import threading

from blake3 import blake3

from oglib.errors import ImageError, OgError, TransferError
from oglib.transfer.pipe.channel import Channel, Kind

# A size that no image has: nobody knows the size before the end.
_ENDLESS = 1 << 60
_KEPT_BYTES = 48 << 20
_AHEAD_BYTES = 16 << 20


class Arriving:
    """The bytes of an image as they come by ``channel``; it is closed with this."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._window = bytearray()
        self._base = 0
        self._furthest = 0
        self._hasher = blake3()
        self._end: dict[str, object] | None = None
        self._error: OgError | None = None
        self._closed = False
        self._some = threading.Condition()
        threading.Thread(target=self._receive, name="og-pipe", daemon=True).start()

    @property
    def size_bytes(self) -> int:
        return _ENDLESS

    @property
    def received_bytes(self) -> int:
        """How much has come."""
        return self._base + len(self._window)

    def describe(self) -> str:
        return self._channel.peer

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``, fewer at the end alone."""
        stop = offset + length
        with self._some:
            if offset < self._base:
                raise ImageError(f"What comes from {self.describe()} can be read only once.")
            # one that is behind another reader takes what is there, and does not ask for more
            self._furthest = max(self._furthest, offset)
            self._some.notify_all()
            self._some.wait_for(lambda: self._reaches(stop) or self._over)
            if not self._reaches(stop) and self._end is None:
                raise self._error or TransferError(f"{self.describe()} was closed while in use.")
            return bytes(self._window[offset - self._base : stop - self._base])

    def _reaches(self, stop: int) -> bool:
        return self._base + len(self._window) >= stop

    @property
    def _over(self) -> bool:
        return self._end is not None or self._error is not None or self._closed

    def begin(self) -> None:
        """Whoever reads begins anew; what was received is hashed as it came."""

    def prove(self, name: str) -> None:
        """Wait for the end; raise where what came is not what was sent."""
        with self._some:
            while not self._over:
                # what nobody reads any more, behind the last block, makes room for the end
                self._furthest = self._base + len(self._window)
                self._some.notify_all()
                self._some.wait(1.0)
            if self._error is not None:
                raise self._error
            said = (self._end or {}).get("blake3")
        if said != self._hasher.hexdigest():
            raise ImageError(f"What came of {name} from {self.describe()} is not what was sent.")

    def _receive(self) -> None:
        try:
            while True:
                kind, data = self._channel.hear()
                if kind is Kind.DATA:
                    self._add(data)
                elif kind is Kind.END:
                    end = json.loads(data)
                    with self._some:
                        self._end = end if isinstance(end, dict) else {}
                        self._some.notify_all()
                    return
                else:
                    words = data.decode("utf-8", "replace")[:500]
                    raise TransferError(f"{self.describe()} gave up: {words or 'it says no more'}")
        except (OgError, ValueError) as error:
            with self._some:
                wrong = TransferError(f"{self.describe()} said what makes no sense.")
                self._error = error if isinstance(error, OgError) else wrong
                self._some.notify_all()

    def _add(self, data: bytes) -> None:
        self._hasher.update(data)
        with self._some:
            self._window += data
            unread = len(self._window) - (self._furthest - self._base)
            spare = len(self._window) - max(unread, 0) - _KEPT_BYTES
            if spare > 0:
                del self._window[:spare]
                self._base += spare
            self._some.notify_all()
            self._some.wait_for(lambda: self._has_room() or self._closed)

    def _has_room(self) -> bool:
        return self._base + len(self._window) - self._furthest < _AHEAD_BYTES

    def close(self) -> None:
        with self._some:
            self._closed = True
            self._some.notify_all()
