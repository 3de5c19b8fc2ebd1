# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored bytes of a foreign image, each proven by the repository's record before it is used.

A piece is read whole, compared with its digest, and kept for who reads the rest of it. What does
not match is read once more, for a copy may be damaged on its way; then it is refused.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from blake3 import blake3

from oglib.errors import ImageError
from oglib.image.format.foreign_record import ForeignRecord
from oglib.image.reading.source import FrameSource, is_elsewhere

_KEPT_PIECES = 3  # two threads read at a time, and their pieces may be split between two reads
_TRIES = 2


class ProvenSource:
    """``inner``, which belongs to it, read by the pieces of ``record``; a ``FrameSource``."""

    def __init__(self, inner: FrameSource, record: ForeignRecord) -> None:
        if inner.size_bytes != record.image_size_bytes:
            raise ImageError(
                f"{inner.describe()} has {inner.size_bytes} bytes, and the repository signed "
                f"{record.image_size_bytes} of it.",
                hint=_HINT,
            )
        self.size_bytes = record.image_size_bytes
        self._inner = inner
        self._record = record
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._turns: dict[int, threading.Lock] = {}

    def describe(self) -> str:
        return self._inner.describe()

    def close(self) -> None:
        self._inner.close()

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or an ``OgError``."""
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise ImageError(
                f"{self.describe()} ends at byte {self.size_bytes}, but byte {offset + length} "
                "is needed."
            )
        size = self._record.piece_bytes
        parts = []
        while length:
            number, start = divmod(offset, size)
            part = self._piece(number)[start : start + length]
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _piece(self, number: int) -> bytes:
        """Piece ``number``, proven; whoever asks for one that is on its way waits for it."""
        with self._lock:
            if (kept := self._kept.get(number)) is not None:
                self._kept.move_to_end(number)
                return kept
            turn = self._turns.setdefault(number, threading.Lock())
        with turn:
            with self._lock:
                if (kept := self._kept.get(number)) is not None:
                    return kept
            data = self._proven(number)
            with self._lock:
                self._kept[number] = data
                self._turns.pop(number, None)
                while len(self._kept) > _KEPT_PIECES:
                    self._kept.popitem(last=False)
        return data

    def _proven(self, number: int) -> bytes:
        start = number * self._record.piece_bytes
        length = min(self._record.piece_bytes, self.size_bytes - start)
        tries = 0
        while tries < _TRIES:
            data = self._inner.read(start, length)
            if blake3(data).digest() == self._record.piece_digest(number):
                return data
            # another place is no other try: there are only so many
            tries += not is_elsewhere(self._inner, start, length)
        raise ImageError(
            f"Bytes {start} to {start + length} of {self.describe()} are not the ones that the "
            "repository signed.",
            hint=_HINT,
        )


_HINT = (
    "The image was changed or damaged since: look with `ogrepo verify` there, and take it up again "
    "with `ogrepo adopt` or `ogrepo import`."
)
