# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program of this machine holds a port: read from /proc, as far as this user may look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_LISTENS = "0A"  # TCP's state; a UDP socket has none that matters
_MOST_ROWS = 100_000


def holder(protocol: str, port: int, proc: Path = _PROC) -> str:
    """`dnsmasq (process 812, dnsmasq.service)`, or "another program" where that is not seen.

    `protocol` is `tcp` or `udp`. Empty where nobody holds the port.
    """
    sockets = {inode for name in (protocol, f"{protocol}6") for inode in _rows(proc, name, port)}
    if not sockets:
        return ""
    links = {f"socket:[{inode}]" for inode in sockets}
    for process in proc.iterdir():
        if process.name.isdigit() and _holds(process, links):
            return _named(process)
    return "another program"


def _rows(proc: Path, name: str, port: int) -> Iterator[str]:
    try:
        with (proc / "net" / name).open("r", encoding="ascii") as table:
            next(table, None)
            for _, line in zip(range(_MOST_ROWS), table, strict=False):
                words = line.split()
                if name.startswith("tcp") and words[3] != _LISTENS:
                    continue
                if int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]
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
