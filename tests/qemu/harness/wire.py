# SPDX-License-Identifier: GPL-3.0-or-later
"""What PCs ask for on a segment, and when: the time line of a boot, seen from outside.

Only the beginnings of questions are kept: DHCP by kind, TFTP by file, HTTP by connection.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.clock import Deadline, poll
from harness.lan import BRIDGE, Lan

_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_IPV4 = 0x0800
_KINDS = {1: "discover", 3: "request"}
_MESSAGE_TYPE, _USER_CLASS = 53, 77
_OPTIONS_AT = 240
_SYN_ALONE = 0x02
_ENOUGH = 65536
_LIMIT_S = 240


@dataclass(frozen=True, slots=True)
class Asked:
    """`what`: `discover`, `request`, `tftp` with the file's name, `http` with the port.

    `ipxe`: the DHCP question is iPXE's and not the firmware's. `at`: seconds of the host's clock.
    """

    at: float
    mac: str
    what: str
    name: str = ""
    ipxe: bool = False


class Wire:
    """Listens on a LAN until it is closed; use it as a context."""

    def __init__(self, lan: Lan) -> None:
        self._socket = lan.call(_listening)
        self._heard: list[Asked] = []
        self._reader = threading.Thread(target=self._read, name="wire", daemon=True)
        self._reader.start()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._reader.join()

    def _read(self) -> None:
        while True:
            try:
                frame = self._socket.recv(_ENOUGH)
            except TimeoutError:
                continue
            except OSError:
                return  # closed
            asked = asked_in(frame, time.monotonic())
            if asked is not None:
                self._heard.append(asked)

    def heard(self, wanted: Callable[[Asked], bool]) -> list[Asked]:
        """All such questions so far."""
        return [one for one in tuple(self._heard) if wanted(one)]

    def wait_for(self, wanted: Callable[[Asked], bool], deadline: Deadline) -> Asked:
        """The first such question, heard already or awaited."""
        return poll(lambda: next(iter(self.heard(wanted)), None), deadline)

    def wait_for_file(self, name: str) -> Asked:
        """Until a PC asks for this file by TFTP."""
        deadline = Deadline(_LIMIT_S, f"a PC asks for {name}")
        return self.wait_for(lambda one: (one.what, one.name) == ("tftp", name), deadline)

    def ipxe_begins(self, mac: str, deadline: Deadline) -> float:
        """When this PC's iPXE first asked for an address."""
        return self.wait_for(lambda one: one.mac == mac and one.ipxe, deadline).at


def _listening() -> socket.socket:
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4))
    with contextlib.suppress(OSError):  # only what comes is of interest; older kernels give all
        listener.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    listener.bind((BRIDGE, _IPV4))
    listener.settimeout(1)
    return listener


def asked_in(frame: bytes, at: float) -> Asked | None:
    """The question in an Ethernet frame; None: there is none of those that are kept."""
    mac = frame[6:12].hex(":")
    header = (frame[14] & 0xF) * 4 if len(frame) > 34 else 0
    body = frame[14 + header :]
    if header < 20 or len(body) < 14:
        return None
    protocol, port = frame[23], int.from_bytes(body[2:4], "big")
    if protocol == socket.IPPROTO_TCP and body[13] & 0x3F == _SYN_ALONE:
        return Asked(at, mac, "http", str(port))
    if protocol != socket.IPPROTO_UDP:
        return None
    content = body[8:]
    if port == 69 and content[:2] == b"\0\1":
        return Asked(at, mac, "tftp", content[2:].split(b"\0")[0].decode("ascii", "replace"))
    if port == 67 and len(content) > _OPTIONS_AT:
        options = _options(content[_OPTIONS_AT:])
        kind = _KINDS.get(options.get(_MESSAGE_TYPE, b"\0")[0])
        ipxe = b"iPXE" in options.get(_USER_CLASS, b"")
        return Asked(at, content[28:34].hex(":"), kind, ipxe=ipxe) if kind else None
    return None


def _options(raw: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(raw) > 1 and raw[0] != 255:
        if raw[0] == 0:
            raw = raw[1:]
            continue
        (length,) = struct.unpack_from("B", raw, 1)
        found[raw[0]] = raw[2 : 2 + length] or b"\0"
        raw = raw[2 + length :]
    return found
