# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of a file that are too many to be held: read piece by piece when they are needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.errors import ImageError

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Stretch:
    """``length`` bytes from ``offset`` of a regular file, which is opened anew each time."""

    path: Path
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length

    def first(self, count: int) -> Stretch:
        """At most ``count`` bytes of it."""
        return replace(self, length=min(self.length, max(count, 0)))

    def pieces(self) -> Iterator[bytes]:
        """All of it, 1 MiB at a time; ``ImageError`` where the file does not give it."""
        try:
            # Not followed and not waited for, should it be another file by now.
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                at, end = self.offset, self.offset + self.length
                while at < end:
                    piece = os.pread(file, min(_PIECE_BYTES, end - at), at)
                    if not piece:
                        raise ImageError(f"{self.path} ends at byte {at} instead of {end}.")
                    yield piece
                    at += len(piece)
            finally:
                os.close(file)
        except OSError as error:
            raise ImageError(f"{self.path} cannot be read: {error.strerror}.") from error


Raw = bytes | Stretch


def pieces_of(raw: Raw) -> Iterator[bytes]:
    """The bytes, as they are or from their file."""
    if isinstance(raw, Stretch):
        yield from raw.pieces()
    elif raw:
        yield raw
