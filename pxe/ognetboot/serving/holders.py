# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program of this machine holds a port: read from /proc, as far as this user may look."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

_PROC = Path("/proc")
_LISTENS = "0A"  # TCP's state; a UDP socket has none that matters
_MOST_ROWS = 100_000


def holder(protocol: str, port: int, address: str = "", proc: Path = _PROC) -> str:
    """`dnsmasq (process 812, dnsmasq.service)`, or "another program" where that is not seen.

    `protocol` is `tcp` or `udp`; of `address`, where it is said, or of all addresses. Empty where
    nobody holds the port.
    """
    sockets = {
        inode
        for name in (protocol, f"{protocol}6")
        for inode, place in _rows(proc, name, port)
        if not address or place in (_row_of(address), "0" * len(place))
    }
    if not sockets:
        return ""
    links = {f"socket:[{inode}]" for inode in sockets}
    for process in proc.iterdir():
        if process.name.isdigit() and _holds(process, links):
            return _named(process)
    return "another program"


def _row_of(address: str) -> str:
    """An IPv4 address as these tables have it: four bytes in the machine's order."""
    packed = IPv4Address(address).packed
    return f"{int.from_bytes(packed, sys.byteorder):08X}"


def _rows(proc: Path, name: str, port: int) -> Iterator[tuple[str, str]]:
    """Inode and local address of each socket of that port."""
    try:
        with (proc / "net" / name).open("r", encoding="ascii") as table:
            next(table, None)
            for _, line in zip(range(_MOST_ROWS), table, strict=False):
                words = line.split()
                if name.startswith("tcp") and words[3] != _LISTENS:
                    continue
                place, _, number = words[1].rpartition(":")
                if int(number, 16) == port:
                    yield words[9], place
    except OSError:
        return


def _holds(process: Path, links: set[str]) -> bool:
    try:
        return any(_link(one) in links for one in os.scandir(process / "fd"))
    except OSError:
        return False


def _link(one: os.DirEntry[str]) -> str:
    try:
        return os.readlink(one.path)  # noqa: PTH115  a Path for each descriptor of a machine is slow
    except OSError:
        return ""


def _named(process: Path) -> str:
    name, unit = "a program", ""
    try:
        name = (process / "comm").read_text("utf-8", "replace").strip() or name
        group = (process / "cgroup").read_text("utf-8", "replace").strip()
        last = group.rpartition("/")[2]
        unit = f", {last}" if last.endswith(".service") else ""
    except OSError:
        pass
    return f"{name} (process {process.name}{unit})"
