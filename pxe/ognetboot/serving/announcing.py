# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ognetboot serve` says when it begins: what it serves where, and to whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ognetboot.inventory.model import Dhcp, Inventory

_USUAL_PORT = 80


@dataclass(frozen=True, slots=True)
class Parts:
    """What is served. `http`: the port, or None; `files`: all of it, not the forms alone; `bind`:
    the address on which all of it is."""

    dhcp: Dhcp
    tftp: bool
    http: int | None
    files: bool
    bind: str

    @property
    def everywhere(self) -> bool:
        """Whether HTTP listens on every address of this machine."""
        return self.bind in ("0.0.0.0", "::")  # noqa: S104 - no socket is bound here

    @property
    def child(self) -> bool:
        """Whether dnsmasq is needed."""
        return self.tftp or self.dhcp is not Dhcp.OFF


def announcement(file: Path, inventory: Inventory, out: Path, parts: Parts) -> str:
    """Some lines for a person."""
    server = inventory.server
    count, rooms = len(inventory.clients), len(inventory.rooms)
    lines = [
        f"ognetboot serves {_counted(count, 'PC')} in {_counted(rooms, 'room')} of {file.name}, "
        f"as {server.address} on {server.interface}:",
        f"  DHCP  {_dhcp(inventory, parts)}",
        f"  TFTP  {out if parts.tftp else 'not served'}",
        f"  HTTP  {_http(inventory, parts)}",
    ]
    return "\n".join(lines)


def _dhcp(inventory: Inventory, parts: Parts) -> str:
    bounds = inventory.server.dhcp_range
    if parts.dhcp is Dhcp.OWN and bounds is not None:
        return f"gives the addresses {bounds[0]} to {bounds[1]} and says what to boot"
    if parts.dhcp is Dhcp.PROXY:
        return "says what to boot, beside the site's DHCP, which gives the addresses"
    return "not served"


def _http(inventory: Inventory, parts: Parts) -> str:
    if parts.http is None:
        return "not served"
    if parts.files:
        place = inventory.server.authority
        if not parts.everywhere:
            host = f"[{parts.bind}]" if ":" in parts.bind else parts.bind
            place = host if parts.http == _USUAL_PORT else f"{host}:{parts.http}"
        return f"http://{place}/netboot/ and /oglive/, reports, registration and passwords"
    return f"reports, registration and passwords on 127.0.0.1 port {parts.http}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
