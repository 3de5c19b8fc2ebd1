# SPDX-License-Identifier: GPL-3.0-or-later
"""What the harness reads out of frames on a segment."""

from __future__ import annotations

import struct

from harness.wire import Asked, asked_in

_MAC = bytes.fromhex("525400770001")


def _frame(protocol: int, body: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH8x", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
    return b"\xff" * 6 + _MAC + b"\x08\x00" + header + body


def _udp(port: int, content: bytes) -> bytes:
    return _frame(17, struct.pack("!HHHH", 1024, port, 8 + len(content), 0) + content)


def _dhcp(*options: bytes) -> bytes:
    fixed = bytes(28) + _MAC + bytes(202) + bytes.fromhex("63825363")
    return _udp(67, fixed + b"".join(options) + b"\xff")


def test_questions_are_told_apart() -> None:
    mac = _MAC.hex(":")
    discover = _dhcp(b"\x35\x01\x01")
    assert asked_in(discover, 1.0) == Asked(1.0, mac, "discover")
    of_ipxe = _dhcp(b"\x00\x35\x01\x03", b"\x4d\x04iPXE")
    assert asked_in(of_ipxe, 2.0) == Asked(2.0, mac, "request", ipxe=True)
    wanted = _udp(69, b"\x00\x01boot.ipxe\x00octet\x00")
    assert asked_in(wanted, 3.0) == Asked(3.0, mac, "tftp", "boot.ipxe")
    syn = struct.pack("!HHIIBBHHH", 1024, 8080, 0, 0, 0x50, 0x02, 0, 0, 0)
    assert asked_in(_frame(6, syn), 4.0) == Asked(4.0, mac, "http", "8080")


def test_all_else_and_half_a_frame_is_no_question() -> None:
    answer = struct.pack("!HHIIBBHHH", 8080, 1024, 0, 0, 0x50, 0x12, 0, 0, 0)
    assert asked_in(_frame(6, answer), 0) is None
    assert asked_in(_udp(53, bytes(20)), 0) is None
    whole = _dhcp(b"\x35\x01\x01", b"\x4d\x04iPXE")
    for length in range(len(whole)):
        asked_in(whole[:length], 0)
