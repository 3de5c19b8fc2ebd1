# SPDX-License-Identifier: GPL-3.0-or-later
"""How the bytes of one place are read: by its address, or from its file.

``patient``: nobody else has them, so it gets the time that any server gets. Otherwise it has a few
seconds, for the next place is there. Each place has connections of its own, opened when it is
first asked.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import replace
from http import HTTPStatus
from typing import Protocol

from oglib.connection import Connection
from oglib.errors import OgErr, TransferError
from oglib.transfer.answers import StatusError
from oglib.transfer.http import Got, HttpSource
from oglib.transfer.places.far import FarSource
from oglib.transfer.places.place import File, Place, Wanted, Web, address_in

SHORT_S = 3.0
_SHORT_RATE = 16 << 10  # bytes/s for one connection; where that is little, all places are slow
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class Reader(Protocol):
    """The bytes of one place."""

    def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None:
        """What ``got`` lacks of that range, or ``TransferError``; what came is in ``got``."""
        ...

    def close(self) -> None:
        """Reads fail from now on, those under way at once where that can be done."""
        ...


def reader_of(place: Place, wanted: Wanted, connection: Connection) -> Reader:
    """Nothing is opened yet."""
    if isinstance(place, Web):
        return _WebReader(place, wanted, connection)
    return _FarReader(place, wanted, connection) if place.far else _NearReader(place, wanted)


def hurried(connection: Connection) -> Connection:
    """The same for a place that is not the only one."""
    return replace(
        connection,
        stall_s=min(SHORT_S, connection.stall_s),
        deadline_s=min(SHORT_S, connection.deadline_s),
        slowest_rate=_SHORT_RATE,
    )


class _WebReader:
    def __init__(self, place: Web, wanted: Wanted, connection: Connection) -> None:
        self._wanted = wanted
        self._connections = {True: connection, False: hurried(connection)}
        by_digest = address_in(place, wanted.digest)
        self._addresses = [(one, one == by_digest) for one in (by_digest, place.own) if one]
        self._sources: dict[bool, HttpSource] = {}
        self._lock = threading.Lock()
        self._closed = False

    def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None:
        self._source(patient).read_into(got, offset, length)

    def _source(self, patient: bool) -> HttpSource:
        with self._lock:  # one thread finds out, the others wait for what it finds
            if self._closed:
                raise TransferError(f"{self._addresses[0][0]} was closed while it was in use.")
            if patient not in self._sources:
                self._sources[patient] = self._opened(patient)
            return self._sources[patient]

    def _opened(self, patient: bool) -> HttpSource:
        while True:
            address, immutable = self._addresses[0]
            try:
                return HttpSource(
                    address,
                    expected_size=self._wanted.size_bytes,
                    connection=self._connections[patient],
                    immutable=immutable,
                )
            except StatusError as error:
                # once its folder of bytes has given something, what is denied is not absent
                if error.status not in _ABSENT or self._sources or len(self._addresses) == 1:
                    raise
                del self._addresses[0]

    def close(self) -> None:
        self._closed = True
        for source in tuple(self._sources.values()):
            source.close()


class _FarReader:
    def __init__(self, place: File, wanted: Wanted, connection: Connection) -> None:
        self._path = place.path
        self._size = wanted.size_bytes
        self._stalls = {True: connection.stall_s, False: hurried(connection).stall_s}
        self._sources: dict[bool, FarSource] = {}
        self._lock = threading.Lock()

    def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None:
        self._source(patient).read_into(got, offset, length)

    def _source(self, patient: bool) -> FarSource:
        with self._lock:
            if patient not in self._sources:
                self._sources[patient] = FarSource(
                    self._path, expected_size=self._size, stall_s=self._stalls[patient]
                )
            return self._sources[patient]

    def close(self) -> None:
        for source in tuple(self._sources.values()):
            source.close()


class _NearReader:
    """A file on a disk of this PC."""

    def __init__(self, place: File, wanted: Wanted) -> None:
        self._path = place.path
        self._size = wanted.size_bytes
        self._fd = -1
        self._lock = threading.Lock()

    def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None:  # noqa: ARG002
        try:
            fd = self._opened()
            while got.have < length:
                piece = os.pread(fd, length - got.have, offset + got.have)
                if not piece:
                    raise _unreadable(self._path, f"it ends at byte {offset + got.have}")
                got.add(piece)
        except OSError as error:
            raise _unreadable(self._path, str(error.strerror)) from error

    def _opened(self) -> int:
        with self._lock:
            if self._fd < 0:
                fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode) or status.st_size != self._size:
                    os.close(fd)
                    raise _unreadable(self._path, f"it is no file of {self._size} bytes")
                self._fd = fd
            return self._fd

    def close(self) -> None:
        with self._lock:
            fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _unreadable(path: os.PathLike[str], why: str) -> TransferError:
    return TransferError(
        f"{path} cannot be read: {why}.",
        hint="The disk that holds it may be failing.",
        code=OgErr.IMAGEFILE,
    )
