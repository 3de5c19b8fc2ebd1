# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of files into plain sockets, without a task or a timer for each.

A socket that is full is watched by an epoll of our own, which the loop watches in turn: the loop
lets nobody else wait for a socket that one of its transports holds.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from collections.abc import Callable

from ogrepo.serving.files import PIECE_BYTES, OpenFile, Part, patience_s

_TURN_BYTES = 1 << 20  # then it is another reader's turn
_NO_SENDFILE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_AT_ONCE = 64
_LOOK_EVERY_S = 0.5


class Outlet:
    """Watches the sockets that are full, and cuts readers that take too long for a piece."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._known: dict[int, Transfer | None] = {}
        self._blocked: dict[Transfer, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.loop.add_reader(self._epoll, self._ready)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.loop.remove_reader(self._epoll)
        self._epoll.close()

    def wait(self, transfer: Transfer) -> None:
        """``transfer`` goes on when its socket has room."""
        number = transfer.sock.fileno()
        if number not in self._known:
            # Only the moment in which room comes is told, so nothing is to be taken back after.
            self._epoll.register(number, select.EPOLLOUT | select.EPOLLET)
        self._known[number] = transfer
        self._blocked[transfer] = None
        if self._timer is None:
            self._timer = self.loop.call_later(_LOOK_EVERY_S, self._stop_overdue)

    def forget(self, sock: socket.socket) -> None:
        """The socket is about to be closed."""
        if sock.fileno() in self._known:
            del self._known[sock.fileno()]
            self._epoll.unregister(sock)

    def over(self, transfer: Transfer) -> None:
        """Nothing more is to be sent of it."""
        self._blocked.pop(transfer, None)
        if self._known.get(transfer.sock.fileno()) is transfer:
            self._known[transfer.sock.fileno()] = None

    def _ready(self) -> None:
        for number, _ in self._epoll.poll(0, _AT_ONCE):
            transfer = self._known.get(number)
            if transfer is not None:
                self._blocked.pop(transfer, None)  # it is waited for again, or not at all
                self._apart(transfer.go)

    def _stop_overdue(self) -> None:
        self._timer = None
        now = self.loop.time()
        for transfer in [one for one in self._blocked if one.due <= now]:
            self._apart(transfer.stop)
        if self._blocked:
            self._timer = self.loop.call_later(_LOOK_EVERY_S, self._stop_overdue)

    def _apart(self, step: Callable[[], None]) -> None:
        """What one transfer fails with is not the others': each was told just this once."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - told as the loop tells its own
            told = {"message": "A transfer broke off.", "exception": error}
            self.loop.call_exception_handler(told)


class Transfer:
    """A head and so many bytes of a file on their way into a socket that does not block.

    ``done`` is called once, with whether all of it was taken. ``sent``: bytes of the file so far.
    """

    __slots__ = ("_done", "_first", "_head", "_left", "_outlet", "_source", "_until",
                 "due", "sent", "sock")  # fmt: skip

    def __init__(  # noqa: PLR0917 - in the order in which they are read
        self,
        outlet: Outlet,
        sock: socket.socket,
        head: bytes,
        source: OpenFile,
        part: Part,
        done: Callable[[bool], None],
    ) -> None:
        self.sock = sock
        self.due = 0.0
        self.sent = 0
        self._outlet = outlet
        self._head = head
        self._source = source
        self._first = part.first
        self._left = part.count
        self._until = part.count  # what is left when this piece is through
        self._done: Callable[[bool], None] | None = done

    def go(self) -> None:
        """Send as much as the socket takes, but no more than a turn's worth."""
        if self._done is None:
            return
        try:
            blocked = not self._send()
            if blocked:
                self._wait()
        except OSError as error:
            if error.errno in _NO_SENDFILE:
                self._source.copied = True  # whoever asks again goes the long way
            self.stop()
        else:
            if blocked:
                return
            if self._left:
                self._outlet.loop.call_soon(self.go)
            else:
                self._end(whole=True)

    def stop(self) -> None:
        """The reader has gone or stands still, or the file became shorter."""
        self._end(whole=False)

    def _send(self) -> bool:
        """Whether the socket took all that this turn had for it."""
        target, turn = self.sock.fileno(), _TURN_BYTES
        try:
            while self._head:
                # The head leaves together with the first bytes of the body.
                self._head = self._head[self.sock.send(self._head, socket.MSG_MORE) :]
            while self._left and turn > 0:
                count = min(self._left, turn)
                # Each call names its offset, so a shared descriptor has no place of its own.
                moved = os.sendfile(target, self._source.descriptor, self._first, count)
                if not moved:
                    raise ConnectionResetError("The file became shorter than promised.")
                self._first += moved
                self.sent += moved
                self._left -= moved
                turn -= moved
        except (BlockingIOError, InterruptedError):
            return False
        return True

    def _wait(self) -> None:
        if not self.due or self._left <= self._until:
            count = min(self._left, PIECE_BYTES)
            self._until = self._left - count
            self.due = self._outlet.loop.time() + patience_s(count)
        self._outlet.wait(self)

    def _end(self, *, whole: bool) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._outlet.over(self)
            done(whole)
