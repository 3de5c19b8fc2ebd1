# SPDX-License-Identifier: GPL-3.0-or-later
"""What one table of an inventory says, and yet is hardly meant; no other need be right."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Network

from ognetboot.assigning import times
from ognetboot.inventory.agreement import Found, scopes
from ognetboot.inventory.fields import Table
from ognetboot.inventory.model import Client, Server

# What makers leave in the firmware of PCs to which they give no serial number, in small letters.
FILLERS = frozenset(
    (
        "to be filled by o.e.m.",
        "to be filled by oem",
        "default string",
        "system serial number",
        "chassis serial number",
        "not specified",
        "not applicable",
        "not available",
        "none",
        "n/a",
        "oem",
        "empty",
        "invalid",
        "unknown",
        "0123456789",
        "123456789",
        "1234567890",
    )
)
# Where organisations take their own multicast groups from (RFC 2365), and OpenGnsys its sessions'.
_LOCAL_GROUPS = IPv4Network("239.194.0.0/16")
_WINDOWS_NAME = 15


def warn_of_tables(found: Found, now: datetime) -> None:
    """Keep a warning with each table that says something strange."""
    for table, _, choices in scopes(found):
        if choices.protected_until is not None and choices.protected_until < now:
            table.warn(
                "protected_until",
                f"{times.told_end(choices.protected_until)} is past, and protects nothing any more",
                hint="remove it, or name a later date",
            )
        if choices.multicast is not None and choices.multicast.address not in _LOCAL_GROUPS:
            table.warn(
                "multicast",
                f"{choices.multicast.address} is not in {_LOCAL_GROUPS}, which is free for a site",
                hint="routers and other services may use it: take one of that network",
            )
        if choices.oglive is not None and choices.oglive == choices.oglive_before:
            table.warn(
                "oglive_before",
                f"{choices.oglive} is the present version too, so that there is no way back",
                hint="name the version that worked before",
            )
    _warn_of_locked(found)
    _warn_of_serials(found)
    _warn_of_titles(found)
    for table, client in found.clients:
        _warn_of_client(table, client, found.server)


def _warn_of_locked(found: Found) -> None:
    """A password is asked for in a menu alone: what a PC is told to start it starts without one."""
    for table, entry in found.entries:
        if entry.password and not entry.in_menu:
            table.warn(
                "password",
                f"`{entry.name}` is in no menu, so that nobody is asked for it",
                hint="add `in_menu = true`, or leave the password out",
            )


def _warn_of_serials(found: Found) -> None:
    first: dict[str, str] = {}
    for table, client in found.clients:
        if client.serial is None:
            continue
        serial = client.serial.lower()
        if serial in FILLERS or len(set(serial)) == 1:
            table.warn(
                "serial",
                f"{client.serial!r} is what makers leave where they set no number",
                hint="leave it out: it tells no PC from another",
            )
        elif (owner := first.setdefault(serial, table.where)) != table.where:
            table.warn(
                "serial",
                f"{client.serial} is that of {owner} too",
                hint="one of the two was copied: look at the PCs",
            )


def _warn_of_titles(found: Found) -> None:
    """Two rooms that a person cannot tell from each other."""
    first: dict[str, str] = {}
    for table, room in found.rooms:
        owner = first.setdefault(room.title.casefold(), table.where)
        if owner != table.where:
            table.warn("title", f"{room.title!r} is that of {owner} too", hint="tell them apart")


def _warn_of_client(table: Table, client: Client, server: Server | None) -> None:
    if len(client.name) > _WINDOWS_NAME:
        table.warn(
            "name",
            f"{client.name} has {len(client.name)} characters, and Windows takes {_WINDOWS_NAME}",
            hint="shorten it where the PC gets a Windows",
        )
    elif client.name.isdigit():
        table.warn(
            "name",
            f"{client.name} is a number alone, which Windows refuses as a name",
            hint="put a letter before it",
        )
    if client.ip is None:
        return
    if not client.macs and not table.wrong("mac", "macs"):
        table.warn(
            "ip",
            f"{client.ip} cannot be given by DHCP, which knows PCs by their MACs",
            hint="add the PC's `mac`",
        )
    bounds = server.dhcp_range if server else None
    if bounds is not None and bounds[0] <= client.ip <= bounds[1]:
        table.warn(
            "ip",
            f"{client.ip} lies in the dynamic range {bounds[0]} to {bounds[1]}",
            hint="dnsmasq keeps it free, ISC DHCP and Kea may give it to another PC: choose one "
            "outside of `dhcp_range`",
        )
