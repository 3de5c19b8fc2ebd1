# SPDX-License-Identifier: GPL-3.0-or-later
"""Another machine on the segment: the DHCP server that a network has already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.clock import Deadline, Timeouts, poll
from harness.lan import BRIDGE, Lan
from harness.owner import own_name
from harness.process import Background, run


@contextmanager
def other_dhcp(lan: Lan, logs: Path, first: str, last: str) -> Iterator[None]:
    """It gives these addresses and says nothing about booting."""
    name, here, there = own_name("dhcp"), "sitedhcp", "eth0"
    with ExitStack() as stack:
        run(["ip", "netns", "add", name])
        stack.callback(run, ["ip", "netns", "delete", name])
        run(["ip", "-n", lan.namespace, "link", "add", here, "type", "veth",
             "peer", "name", there, "netns", name])  # fmt: skip
        run(["ip", "-n", lan.namespace, "link", "set", here, "master", BRIDGE, "up"])
        run(["ip", "-n", name, "addr", "add", "10.77.0.2/24", "dev", there])
        run(["ip", "-n", name, "link", "set", there, "up"])
        argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0"]
        argv += ["--user=root", "--log-facility=-", "--pid-file=", "--bind-interfaces"]
        argv += [f"--interface={there}", f"--dhcp-range={first},{last},255.255.255.0"]
        argv += [f"--dhcp-leasefile={logs / 'site-dhcp.leases'}"]
        inside = ["ip", "netns", "exec", name, *argv]
        process = Background("site-dhcp", inside, logs / "site-dhcp.log")
        stack.callback(process.stop)

        def up() -> bool | None:
            process.require_alive()
            return "started" in process.log_text() or None

        poll(up, Deadline(Timeouts().server_up, "the site's DHCP is up"))
        yield
