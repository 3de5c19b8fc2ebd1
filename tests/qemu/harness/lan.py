# SPDX-License-Identifier: GPL-3.0-or-later
"""One L2 segment per test session: a network namespace with a bridge, and a tap per machine.

The namespace's name carries this process, so that what a dead process left behind is recognised
and removed. Nothing outside the namespace is changed.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harness.errors import HarnessError
from harness.owner import is_stale, own_name
from harness.process import run

T = TypeVar("T")
SERVER_IP = "10.77.0.1"
# Said, not left to the kernel: a bridge without an address of its own takes the lowest of its
# ports' and changes it with every tap, and a resumed PC then talks to the old one for a minute.
SERVER_MAC = "52:54:00:77:00:fe"
PREFIX = 24
# iPXE asks for an IPv6 router and waits up to 18 s for an answer: here is one that leads nowhere.
SERVER_IPV6 = "fd77::1"
IPV6_RANGE = "fd77::"
IPV6_PREFIX = 64
BROADCAST = "10.77.0.255"
BRIDGE = "oglan"
_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def _remove_namespace(name: str) -> None:
    """End what still runs inside (only machines and servers of a harness do), then delete it."""
    for pid in run(["ip", "netns", "pids", name]).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue
    run(["ip", "netns", "delete", name])


def remove_stale() -> list[str]:
    """Remove the namespaces of harness processes that no longer exist; their names."""
    stale = []
    for path in sorted(_NAMESPACES.glob("ogtest-*")):
        if is_stale(path.name):
            _remove_namespace(path.name)
            stale.append(path.name)
    return stale


class Lan:
    """The segment 10.77.0.0/24 with the server's address on its bridge."""

    def __init__(self, part: str = "") -> None:
        if os.geteuid() != 0:
            raise HarnessError("The QEMU scenarios make a network namespace: run them as root.")
        remove_stale()
        self.namespace = own_name(part)
        self._taps = 0
        run(["ip", "netns", "add", self.namespace])
        try:
            self._ip("link", "set", "lo", "up")
            # No spanning tree and no snooping: a port forwards at once, multicast floods.
            self._ip("link", "add", BRIDGE, "address", SERVER_MAC, "type", "bridge",
                     "stp_state", "0", "mcast_snooping", "0")  # fmt: skip
            self._ip("addr", "add", f"{SERVER_IP}/{PREFIX}", "broadcast", BROADCAST, "dev", BRIDGE)
            self._ip("-6", "addr", "add", f"{SERVER_IPV6}/{IPV6_PREFIX}", "dev", BRIDGE,
                     "nodad")  # fmt: skip
            self._ip("link", "set", BRIDGE, "up")
        except BaseException:
            self.close()
            raise

    def _ip(self, *words: str) -> None:
        run(["ip", "-n", self.namespace, *words])

    def add_tap(self) -> str:
        """A new tap on the bridge; its name."""
        self._taps += 1
        tap = f"tap{self._taps}"
        self._ip("tuntap", "add", "dev", tap, "mode", "tap")
        self._ip("link", "set", tap, "master", BRIDGE, "up")
        return tap

    def remove_tap(self, tap: str) -> None:
        self._ip("link", "delete", tap)

    def bytes_to(self, tap: str) -> int:
        """How many bytes the segment has sent to the machine on this tap."""
        links = json.loads(run(["ip", "-n", self.namespace, "-j", "-s", "link", "show", tap]))
        return int(links[0]["stats64"]["tx"]["bytes"])

    def inside(self, argv: list[str]) -> list[str]:
        """The same command, run in the namespace (exec, so the process number is its own)."""
        return ["ip", "netns", "exec", self.namespace, *argv]

    def call(self, work: Callable[[], T]) -> T:
        """Run a function whose sockets belong to the LAN, in a thread that entered it."""
        results: list[T] = []
        errors: list[BaseException] = []

        def enter_and_work() -> None:
            try:
                with (_NAMESPACES / self.namespace).open("rb") as handle:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
                        raise HarnessError(f"setns: {os.strerror(ctypes.get_errno())}")
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
                errors.append(error)

        thread = threading.Thread(target=enter_and_work)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def close(self) -> None:
        """Remove the namespace with everything in it."""
        if (_NAMESPACES / self.namespace).exists():
            _remove_namespace(self.namespace)
