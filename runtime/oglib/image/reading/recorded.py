# SPDX-License-Identifier: GPL-3.0-or-later
"""A source whose whole content has a known digest: it is hashed while it is read.

For images that bring no digests of their own. Who reads from the first byte to the last pays
nothing for it; what was read out of order, or not at all, is read again in ``prove``.
"""

from __future__ import annotations

import threading

from blake3 import blake3

from oglib.errors import ImageError
from oglib.image.reading.source import FrameSource

_STEP_BYTES = 4 << 20


class NotAsStoredError(ImageError):
    """The content is not the one that was recorded."""


class RecordedSource:
    """``source``, whose content has the BLAKE3 ``recorded`` (hex)."""

    def __init__(self, source: FrameSource, recorded: str) -> None:
        self._source = source
        self._recorded = recorded
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Hash anew: a later pass proves what itself has read."""
        with self._lock:
            self._hasher = blake3()
            self._hashed = 0

    @property
    def size_bytes(self) -> int:
        return self._source.size_bytes

    def read(self, offset: int, length: int) -> bytes:
        data = self._source.read(offset, length)
        with self._lock:
            if offset <= self._hashed < offset + len(data):
                self._hasher.update(memoryview(data)[self._hashed - offset :])
                self._hashed = offset + len(data)
        return data

    def prove(self, name: str) -> None:
        """Raise ``ImageError`` where the content, of the image ``name``, is another one."""
        while self._hashed < self.size_bytes:
            self.read(self._hashed, min(_STEP_BYTES, self.size_bytes - self._hashed))
        if self._hasher.hexdigest() != self._recorded:
            raise NotAsStoredError(
                f"The image {name} at {self.describe()} is not what was stored there.",
                hint="Find what else is damaged: `og cache check --deep`; store it again.",
            )

    def describe(self) -> str:
        return self._source.describe()

    def close(self) -> None:
        self._source.close()
