# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the access log of another HTTP server: which PC fetched its file.

Where no server hears what PCs report, that is the sign by which an entry "for this once" is used
up. It follows from the log's end on, through rotations of both kinds (another file of that name,
and the same one cut to nothing).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.hearing.identity import Claim

_MOST_PIECE = 1 << 20
_LONGEST_LINE = 16 << 10
# nginx' "combined": ADDRESS - USER [TIME] "GET PATH HTTP/1.1" STATUS BYTES ...
_LINE = re.compile(
    rb"^(?P<address>[0-9a-f.:]{2,45}) \S+ \S+ \[[^\]]{1,40}\] "
    rb'"GET (?P<path>/\S{1,500}) HTTP/1\.[01]" (?P<status>[0-9]{3}) '
)
_OWN_FILE = re.compile(
    r"/+netboot/(?:ipxe/mac-|grub/01-|(?:ipxe|grub)/uuid-)"
    r"(?:(?P<mac>[0-9a-f]{2}(?:[-:][0-9a-f]{2}){5})|(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))"
    r"(?:\.ipxe)?"
)


def fetched(line: bytes) -> Claim | None:
    """The PC whose own file was given out by this request."""
    found = _LINE.match(line)
    if not found or found["status"] not in (b"200", b"304"):
        return None
    own = _OWN_FILE.fullmatch(found["path"].partition(b"?")[0].decode("ascii", "replace"))
    if own is None:
        return None
    return Claim((own["mac"] or "").replace("-", ":"), own["uuid"] or "", "")


class Log:
    """One log file that others write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._file: BinaryIO | None = self._opened()
        if self._file is None:
            raise NetbootError(f"there is no log {path}", hint="name the server's access log")
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self) -> Iterator[bytes]:
        """The whole lines that were written since the last time; waits for nothing."""
        yield from self._new()
        if self._is_rotated():
            yield from self._new()  # what came between the two looks
            self.close()
            self._rest = b""
        if self._file is None:
            self._file = self._opened()
            yield from self._new()

    def _new(self) -> Iterator[bytes]:
        if self._file is None:
            return
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._rest = b""
        while piece := self._file.read(_MOST_PIECE):
            *whole, rest = (self._rest + piece).split(b"\n")
            # A line without an end is none that we know.
            self._rest = rest if len(rest) <= _LONGEST_LINE else b""
            yield from whole

    def _is_rotated(self) -> bool:
        if self._file is None:
            return False
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        mine = os.fstat(self._file.fileno())
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def _opened(self) -> BinaryIO | None:
        try:
            return keeping.opened(self._path)
        except FileNotFoundError:
            return None  # between two files
        except OSError as error:
            raise NetbootError(
                f"{self._path} cannot be read: {error.strerror}", hint="check its rights"
            ) from None
