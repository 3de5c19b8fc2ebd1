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
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from oglib.connection import Connection
from oglib.errors import OgErr, OgError, TransferError
from oglib.kernel.far import FarFile
from oglib.transfer.address import parse_address
from oglib.transfer.answers import StatusError
from oglib.transfer.client import HttpClient
from oglib.transfer.http import Got, HttpSource
from oglib.transfer.places.place import File, Lent, Place, Wanted, Web, address_in

SHORT_S = 3.0
_SHORT_RATE = 16 << 10  # bytes/s for one connection; where that is little, all places are slow
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_S = TypeVar("_S")


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
    if isinstance(place, Lent):
        return _LentReader(place)
    return _FarReader(place, wanted, connection) if place.far else _NearReader(place, wanted)


def hurried(connection: Connection) -> Connection:
    """The same for a place that is not the only one."""
    return replace(
        connection,
        stall_s=min(SHORT_S, connection.stall_s),
        deadline_s=min(SHORT_S, connection.deadline_s),
        slowest_rate=_SHORT_RATE,
        queue_s=0.0,
    )


class _Opened(Generic[_S]):
    """A source that is opened once for all threads, and whose failing is one failure, too."""

    def __init__(self, make: Callable[[], _S]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._source: _S | None = None
        self._error: TransferError | None = None
        self._tries = 0

    def source(self) -> _S:
        tries = self._tries
        with self._lock:
            if self._source is not None:
                return self._source
            if self._tries != tries and self._error is not None:
                raise self._error  # of who tried while this thread waited
            try:
                self._source = self._make()
            except TransferError as error:
                self._tries, self._error = self._tries + 1, error
                raise
            return self._source

    @property
    def if_there(self) -> _S | None:
        return self._source


class _WebReader:
    def __init__(self, place: Web, wanted: Wanted, connection: Connection) -> None:
        self._size = wanted.size_bytes
        by_digest = address_in(place, wanted.digest)
        self._addresses = [(one, one == by_digest) for one in (by_digest, place.own) if one]
        server = parse_address(place.name)
        self._clients = (HttpClient(server, connection), HttpClient(server, hurried(connection)))
        patient, hasty = (_Opened(partial(self._open, one)) for one in self._clients)
        self._opened = {True: patient, False: hasty}

    def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None:
        self._opened[patient].source().read_into(got, offset, length)

    def _open(self, client: HttpClient) -> HttpSource:
        while True:
            address, immutable = self._addresses[0]
            try:
                return HttpSource(
                    address, expected_size=self._size, immutable=immutable, client=client
                )
            except StatusError as error:
                # once its folder of bytes has given something, what is denied is not absent
                known = any(one.if_there is not None for one in self._opened.values())
                if error.status not in _ABSENT or known or len(self._addresses) == 1:
                    raise
                del self._addresses[0]

    def close(self) -> None:
        for one in self._clients:
            one.close()


class _FarReader:
    def __init__(self, place: File, wanted: Wanted, connection: Connection) -> None:
        self._size = wanted.size_bytes
        patient, hasty = (
            _Opened(partial(self._open, place.path, one.stall_s))
            for one in (connection, hurried(connection))
        )
        self._opened = {True: patient, False: hasty}

    def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None:
        file = self._opened[patient].source()
        for piece in file.pieces(offset + got.have, offset + length):
            got.add(piece)

    def _open(self, path: Path, stall_s: float) -> FarFile:
        file = FarFile(path, stall_s)
        if file.size_bytes == self._size:
            return file
        file.close()
        raise TransferError(
            f"{path} has {file.size_bytes} bytes instead of {self._size}.",
            hint="The file is incomplete or another version.",
            code=OgErr.IMAGE,
        )

    def close(self) -> None:
        for one in self._opened.values():
            if one.if_there is not None:
                one.if_there.close()


class _LentReader:
    """A file that somebody else reads for us."""

    def __init__(self, place: Lent) -> None:
        self._place = place

    def read_into(self, got: Got, offset: int, length: int, *, patient: bool) -> None:  # noqa: ARG002
        try:
            got.add(self._place.lender.read(offset + got.have, length - got.have))
        except TransferError:
            raise
        except OgError as error:
            raise TransferError(error.message, hint=error.hint, code=error.code) from error

    def close(self) -> None:
        self._place.lender.close()


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


def _unreadable(path: Path, why: str) -> TransferError:
    return TransferError(
        f"{path} cannot be read: {why}.",
        hint="The disk that holds it may be failing.",
        code=OgErr.IMAGEFILE,
    )
