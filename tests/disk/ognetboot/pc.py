# SPDX-License-Identifier: GPL-3.0-or-later
"""A PC's first steps, in a network namespace of its own: DHCP, TFTP, HTTP. Prints JSON.

`pc.py dhcp CARD MAC ARCH`, `pc.py tftp SERVER FILE`, `pc.py http URL`: as `ip netns exec` runs it.
"""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import time
import urllib.error
import urllib.request

_COOKIE = b"\x63\x82\x53\x63"
_ANSWER_S = 20.0
_AGAIN_S = 1.0


def dhcp(card: str, mac: str, arch: int) -> dict[str, str]:
    """Address and boot file that this PC is given."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
    sock.bind(("0.0.0.0", 68))
    hardware = bytes.fromhex(mac.replace(":", ""))
    common = [
        (60, b"PXEClient:Arch:%05d:UNDI:002001" % arch), (93, arch.to_bytes(2, "big")),
        (94, b"\1\2\1"), (55, bytes([1, 3, 6, 66, 67])),
    ]  # fmt: skip
    # The card has no address yet: answers are taken from the wire.
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    wire.bind((card, 0x0800))
    offer = _exchange(sock, wire, hardware, [(53, b"\1"), *common], 2)
    wanted = [(53, b"\3"), (50, offer["yiaddr"]), (54, offer["54"]), *common]
    ack = _exchange(sock, wire, hardware, wanted, 5)
    file = ack.get("67") or ack["file"]
    return {
        "address": socket.inet_ntoa(ack["yiaddr"]),
        "file": file.rstrip(b"\0").decode(),
        "server": socket.inet_ntoa(ack["54"]),
    }


def _exchange(
    sock: socket.socket,
    wire: socket.socket,
    hardware: bytes,
    options: list[tuple[int, bytes]],
    wanted: int,
) -> dict[str, bytes]:
    xid = b"ogog"
    head = b"\1\1\6\0" + xid + b"\0\0\x80\0" + bytes(16) + hardware + bytes(10 + 64 + 128)
    body = b"".join(bytes([code, len(value)]) + value for code, value in options)
    packet = head + _COOKIE + body + b"\xff"
    end = time.monotonic() + _ANSWER_S
    while time.monotonic() < end:
        sock.sendto(packet, ("255.255.255.255", 67))
        wire.settimeout(_AGAIN_S)
        try:
            while True:
                packet_in = wire.recv(4096)
                answer = packet_in[(packet_in[0] & 15) * 4 + 8 :]
                found = _parsed(answer)
                if answer[4:8] == xid and found.get("53") == bytes([wanted]):
                    return found
        except TimeoutError:
            continue
    raise TimeoutError("no answer of a DHCP server")


def _parsed(answer: bytes) -> dict[str, bytes]:
    found = {"yiaddr": answer[16:20], "file": answer[108:236]}
    place = 240
    while place + 1 < len(answer) and answer[place] != 255:
        code, length = answer[place], answer[place + 1]
        found[str(code)] = answer[place + 2 : place + 2 + length]
        place += 2 + length
    return found


def tftp(server: str, name: str) -> dict[str, str | int]:
    """Length and digest of a file; its error where there is one."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(_ANSWER_S)
    sock.sendto(b"\0\1" + name.encode() + b"\0octet\0", (server, 69))
    content, block = b"", 1
    while True:
        packet, peer = sock.recvfrom(2048)
        if packet[1] == 5:
            return {"error": packet[4:].rstrip(b"\0").decode()}
        if int.from_bytes(packet[2:4], "big") == block & 0xFFFF:
            content += packet[4:]
            block += 1
        sock.sendto(b"\0\4" + packet[2:4], peer)
        if len(packet) < 516:
            return {"length": len(content), "digest": hashlib.sha256(content).hexdigest()}


def http(url: str) -> dict[str, str | int]:
    """Status and text."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:  # noqa: S310
            return {"status": answer.status, "text": answer.read().decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": ""}


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "dhcp":
        print(json.dumps(dhcp(words[0], words[1], int(words[2]))))
    else:
        print(json.dumps(tftp(*words) if what == "tftp" else http(*words)))
