# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold between the values of an inventory: names that exist, one owner for each address.

What has a fault of its own still counts as being there, so that one mistake is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeVar

from ognetboot.inventory.choices import Choices
from ognetboot.inventory.entries import BUILT_IN, LOCAL_DISK, Entry
from ognetboot.inventory.fields import Table
from ognetboot.inventory.model import (
    Centre,
    Client,
    Dhcp,
    Group,
    Room,
    Server,
    State,
    UefiLoader,
)

T = TypeVar("T")
# What was read with the table that it was read from. A value that is a fault is left out of it.
Read = Sequence[tuple[Table, T]]


@dataclass(frozen=True, slots=True)
class Found:
    """All that one file holds; `server` is None where [server] does not say where it is."""

    server_table: Table | None
    server: Server | None
    entries: Read[Entry]
    states: Read[State]
    centres: Read[Centre]
    rooms: Read[Room]
    groups: Read[Group]
    clients: Read[Client]
    adapters: tuple[str, ...]


def values(read: Read[T]) -> tuple[T, ...]:
    """The same without the tables."""
    return tuple(one for _, one in read)


def check(found: Found) -> None:
    """Keep every fault between values with the table that it stands in."""
    if found.server_table is not None and found.server is not None:
        _check_server(found.server_table, found.server)
    _check_references(found)
    _check_circles(found.groups)
    _check_owners(found.clients)
    _check_adapters(found)
    if found.server is not None:
        for table, client in found.clients:
            if client.ip is not None:
                _check_ip(table, client.ip, found.server)


def _check_server(table: Table, server: Server) -> None:
    net, address, bounds = server.subnet, server.address, server.dhcp_range
    if address not in net:
        table.error("address", f"{address} is not in the subnet {net}")
    if table.wrong("dhcp", "dhcp_range"):
        bounds = None
    elif server.dhcp is Dhcp.OWN and bounds is None:
        table.error(
            "dhcp_range",
            'must name first and last address when dhcp = "own"',
            hint='add e.g. `dhcp_range = ["10.0.2.100", "10.0.2.200"]`',
        )
    elif server.dhcp is not Dhcp.OWN and table.has("dhcp_range"):
        table.error("dhcp_range", f'means nothing with dhcp = "{server.dhcp}"', hint="remove it")
    if bounds is not None and server.dhcp is Dhcp.OWN:
        first, last = bounds
        if not (first in net and last in net and first <= last):
            table.error("dhcp_range", f"{first} to {last} is not a range inside {net}")
        elif first <= address <= last:
            table.error("dhcp_range", f"holds the server's own address {address}")
    if server.router is not None and server.router not in net:
        table.error("router", f"{server.router} is not in the subnet {net}")
    shim = server.uefi_loader is UefiLoader.SHIM
    if shim and server.dhcp is Dhcp.PROXY and not table.wrong("dhcp"):
        table.error(
            "uefi_loader",
            "Debian's signed GRUB asks the site's DHCP for its server, not the proxy",
            hint='let the site\'s DHCP name this server and shimx64.efi, and set dhcp = "off"',
        )


def _names(read: Read[T]) -> list[str]:
    return [str(table.path[-1]) for table, _ in read]


def scopes(found: Found) -> Iterator[tuple[Table, str, Choices]]:
    """Every scope, the server's first, with the key of its entry."""
    if found.server_table is not None and found.server is not None:
        yield found.server_table, "default_entry", found.server.choices
    for read in (found.centres, found.rooms, found.groups):
        yield from ((table, "default_entry", scope.choices) for table, scope in read)
    yield from ((table, "entry", client.choices) for table, client in found.clients)


def _check_references(found: Found) -> None:
    entries = dict.fromkeys((LOCAL_DISK, *_names(found.entries), *(e.name for e in BUILT_IN)))
    states, rooms = dict.fromkeys(_names(found.states)), dict.fromkeys(_names(found.rooms))
    centres, groups = dict.fromkeys(_names(found.centres)), dict.fromkeys(_names(found.groups))
    for table, key, choices in scopes(found):
        _refer(table, key, choices.entry, entries, "entry `{}`")
        _refer(table, "state", choices.state, states, "[states.{}]")
    for table, room in found.rooms:
        _refer(table, "centre", room.centre, centres, "[centres.{}]")
    for table, group in found.groups:
        _refer(table, "within", group.within, groups, "[groups.{}]")
    for table, client in found.clients:
        _refer(table, "room", client.room, rooms, "[rooms.{}]")
        for name in client.groups:
            _refer(table, "groups", name, groups, "[groups.{}]")


def _refer(table: Table, key: str, name: str | None, known: dict[str, None], what: str) -> None:
    if name is not None and name not in known:
        table.unknown(key, f"there is no {what.format(name)}", name, known)


def _check_circles(groups: Read[Group]) -> None:
    around = {group.name: group.within for group in values(groups)}
    for table, group in groups:
        seen = set[str]()
        name: str | None = group.name
        while name is not None and name not in seen:
            seen.add(name)
            name = around.get(name)
        if name == group.name:
            table.error(
                "within",
                f"the group lies within itself, by way of {', '.join(sorted(seen))}",
                hint="a group lies within a wider one: take one `within` out",
            )


def _check_owners(clients: Read[Client]) -> None:
    """Each MAC, UUID, name and address is one PC's."""
    kinds: dict[str, Callable[[Client], tuple[str, ...]]] = {
        "mac": lambda client: client.macs,
        "uuid": lambda client: (client.uuid,) if client.uuid else (),
        "name": lambda client: (client.name.lower(),) if client.name else (),
        "ip": lambda client: (str(client.ip),) if client.ip else (),
    }
    for key, of in kinds.items():
        taken: dict[str, str] = {}
        for table, client in clients:
            for value in of(client):
                first = taken.setdefault(value, table.where)
                if first != table.where:
                    said = "macs" if key == "mac" and _in_list(table, client, value) else key
                    table.error(
                        said, f"{value} is already that of {first}", hint="give each PC its own"
                    )


def _check_adapters(found: Found) -> None:
    shared = set(found.adapters)
    for table, client in found.clients:
        for mac in client.macs:
            if mac in shared:
                table.error(
                    "macs" if _in_list(table, client, mac) else "mac",
                    f"{mac} is an adapter of [adapters] that goes from PC to PC",
                    hint="name the PC by its own MAC or by the `uuid` of its firmware",
                )


def _in_list(table: Table, client: Client, mac: str) -> bool:
    """Whether the MAC stands in `macs`, not as `mac`."""
    return not table.has("mac") or mac != client.mac


def _check_ip(table: Table, ip: IPv4Address, server: Server) -> None:
    net = server.subnet
    if ip not in net or ip in (net.network_address, net.broadcast_address):
        table.error("ip", f"{ip} is not the address of a PC in the subnet {net}")
    if ip in (server.address, server.router):
        table.error("ip", f"{ip} is the address of the server or the router")
