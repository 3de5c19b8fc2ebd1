# SPDX-License-Identifier: GPL-3.0-or-later
"""Which TCP ports of a PC answer, seen from its LAN."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Scan:
    """Ports by how they answered; what is in none of them gave no answer at all."""

    open: tuple[int, ...]
    refused: tuple[int, ...]


def scan(address: str, ports: Iterable[int], seconds_per_batch: float) -> Scan:
    """Try to connect to each port. A refusal is an answer too: it proves the PC was there."""
    wanted = list(ports)
    opened: list[int] = []
    refused: list[int] = []
    for start in range(0, len(wanted), _BATCH):
        _batch(address, wanted[start : start + _BATCH], seconds_per_batch, opened, refused)
    return Scan(tuple(opened), tuple(refused))


def _batch(
    address: str, ports: list[int], seconds: float, opened: list[int], refused: list[int]
) -> None:
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        sockets: list[socket.socket] = []
        try:
            for port in ports:
                one = socket.socket()
                sockets.append(one)
                one.setblocking(False)
                code = one.connect_ex((address, port))
                if code == errno.EINPROGRESS:
                    selector.register(one, selectors.EVENT_WRITE, port)
                elif code == 0:
                    opened.append(port)
                else:
                    refused.append(port)
            while selector.get_map() and time.monotonic() < end:
                for key, _ in selector.select(end - time.monotonic()):
                    assert isinstance(key.fileobj, socket.socket)
                    code = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    (opened if code == 0 else refused).append(key.data)
                    selector.unregister(key.fileobj)
        finally:
            for one in sockets:
                one.close()
