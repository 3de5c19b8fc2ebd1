# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between two PCs that know the same code: in order, none changed, none left out.

A message is its kind, its length, its bytes and a proof over these and its number; each direction
has a key of its own. Every wait has an end, whatever the other side drips.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from enum import IntEnum

from oglib.errors import TransferError
from oglib.transfer.link import notice_a_dead_peer
from oglib.transfer.pipe.secret import MAC_BYTES, NONCE_BYTES, nonce, proof, same

STALL_S = 30.0
MOST_BYTES = 4 << 20
_HELLO = b"ogpipe 1"
_HEAD = struct.Struct("!BI")
_NUMBER = struct.Struct("!Q")


class Kind(IntEnum):
    """What a message is."""

    BEGIN = 1
    DATA = 2
    END = 3
    WAIT = 4
    FAILED = 5
    DONE = 6


class Channel:
    """One connection to a PC that has proven that it knows the code; ``peer``: its name."""

    def __init__(self, sock: socket.socket, peer: str, *, stall_s: float = STALL_S) -> None:
        self.peer = peer
        self._sock = sock
        self._stall_s = stall_s
        self._sends = self._hears = b""
        self._sent = self._heard = 0
        self._lock = threading.Lock()
        notice_a_dead_peer(sock, stall_s)

    def meet(self, key: bytes, *, sender: bool) -> None:
        """Prove to each other that both know ``key``; the receiver proves it first."""
        mine = nonce()
        self._put(_HELLO + mine)
        hello = self._take(len(_HELLO) + NONCE_BYTES)
        if not hello.startswith(_HELLO):
            raise TransferError(
                f"{self.peer} does not speak as ogLive does here.",
                hint="Check the port, and that both PCs run the same version of ogLive.",
            )
        theirs = hello[len(_HELLO) :]
        nonces = mine + theirs if sender else theirs + mine
        ours, others = (b"sender", b"receiver") if sender else (b"receiver", b"sender")
        if not sender:
            self._put(proof(key, nonces, ours))
        if not same(self._take(MAC_BYTES), proof(key, nonces, others)):
            raise TransferError(
                f"{self.peer} does not know the code.",
                hint="Read it from the sender's screen again.",
            )
        if sender:
            self._put(proof(key, nonces, ours))
        self._sends = proof(key, nonces, b"key of " + ours)
        self._hears = proof(key, nonces, b"key of " + others)

    def send(self, kind: Kind, data: bytes = b"") -> None:
        """One message of at most ``MOST_BYTES``; from any thread."""
        with self._lock:
            head = _HEAD.pack(kind, len(data))
            mac = proof(self._sends, _NUMBER.pack(self._sent), head, data)
            self._sent += 1
            self._put(head + data + mac)

    def hear(self) -> tuple[Kind, bytes]:
        """The next message that says something; ``TransferError`` for what the peer did not say."""
        while True:
            head = self._take(_HEAD.size)
            kind, length = _HEAD.unpack(head)
            if length > MOST_BYTES or kind not in list(Kind):
                raise self._altered()
            data = self._take(length)
            number = _NUMBER.pack(self._heard)
            if not same(self._take(MAC_BYTES), proof(self._hears, number, head, data)):
                raise self._altered()
            self._heard += 1
            if kind != Kind.WAIT:
                return Kind(kind), data

    def _altered(self) -> TransferError:
        return TransferError(
            f"What came from {self.peer} was altered on its way.",
            hint="Somebody or something between the two PCs changes what passes. Send it again.",
        )

    def _put(self, data: bytes) -> None:
        view, end = memoryview(data), time.monotonic() + self._stall_s
        try:
            while view:
                self._sock.settimeout(max(0.001, end - time.monotonic()))
                view = view[self._sock.send(view[: 256 << 10]) :]
        except OSError as error:
            raise self._gone(error) from error

    def _take(self, count: int) -> bytes:
        got, end = bytearray(), time.monotonic() + self._stall_s
        try:
            while len(got) < count:
                self._sock.settimeout(max(0.001, end - time.monotonic()))
                piece = self._sock.recv(min(count - len(got), 1 << 20))
                if not piece:
                    raise ConnectionError(0, "it ended the connection")
                got += piece
        except OSError as error:
            raise self._gone(error) from error
        return bytes(got)

    def _gone(self, error: OSError) -> TransferError:
        late = f"nothing moved for {self._stall_s:.2g} s"
        why = late if isinstance(error, TimeoutError) else error.strerror or "it is gone"
        return TransferError(f"The connection to {self.peer} is gone: {why}.")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def dialled(host: str, port: int, until_s: float) -> socket.socket:
    """A connection to a PC that may not listen yet; ``TransferError`` after ``until_s``."""
    end = time.monotonic() + until_s
    while True:
        left = end - time.monotonic()
        try:
            return socket.create_connection((host, port), timeout=max(0.1, min(left, 5.0)))
        except OSError as error:
            if left <= 0:
                why = error.strerror or "it does not answer"
                raise TransferError(
                    f"{host}:{port} does not listen: {why}.",
                    hint="Start `og image receive` there, with the code that is shown here.",
                ) from error
            time.sleep(min(0.5, max(0.0, left)))


def awaited(listener: socket.socket, host: str, until_s: float) -> socket.socket:
    """The connection that ``host`` makes; others are sent away. ``TransferError`` after a while."""
    end = time.monotonic() + until_s
    try:
        allowed = {found[4][0] for found in socket.getaddrinfo(host, None)}
        while True:
            listener.settimeout(max(0.001, end - time.monotonic()))
            sock, (address, *_) = listener.accept()
            if str(address).removeprefix("::ffff:") in allowed:
                return sock
            sock.close()
    except OSError as error:
        why = "nobody called" if isinstance(error, TimeoutError) else error.strerror or "no address"
        raise TransferError(
            f"{host} did not connect: {why}.", hint="Start `og image send` there."
        ) from error
