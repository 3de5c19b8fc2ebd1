# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an inventory file into the model, or says all that is wrong with it.

It owns the shape of the file; what must hold between values is in `agreement.py`, what a single
value may be in `checks.py`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.inventory import agreement, checks
from ognetboot.inventory.choice_values import read_choices
from ognetboot.inventory.choices import Choices, joined
from ognetboot.inventory.entry_reading import (
    check_name,
    read_entries,
    read_states,
    with_local_disk,
)
from ognetboot.inventory.faults import Fault, Faults, broken
from ognetboot.inventory.fields import Table
from ognetboot.inventory.model import (
    Centre,
    Client,
    Dhcp,
    Firmware,
    Group,
    Inventory,
    Room,
    Server,
    Site,
    UefiLoader,
)
from ognetboot.inventory.places import find_places, values_of

# Far above an inventory of 5,000 PCs; what is larger is no inventory.
MOST_BYTES = 32 << 20
# What editors of Windows put before UTF-8.
MARK = "\ufeff"
_TITLE = "ogLive network boot"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading of a file gave; `inventory` is None where it has errors, and `found` what
    could be read all the same."""

    inventory: Inventory | None
    faults: Faults
    found: agreement.Found


def load(path: Path, *, allow_test: bool = False) -> Inventory:
    """Read and check the inventory at `path`; open-console profiles only with `allow_test`."""
    return parse(text_of(path), source=path.name, allow_test=allow_test)


def text_of(path: Path) -> str:
    """The text of the file, whatever it says, without the mark of its encoding."""
    return whole_text_of(path).removeprefix(MARK)


def whole_text_of(path: Path) -> str:
    """All of the file's text, the mark included."""
    try:
        data = keeping.content(path, MOST_BYTES)
    except OSError as error:
        raise NetbootError(
            f"{path}: the inventory cannot be read: {error.strerror}", hint="check the path"
        ) from None
    if len(data) > MOST_BYTES:
        raise NetbootError(
            f"{path} is larger than {MOST_BYTES >> 20} MiB", hint="give the inventory"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise NetbootError(
            f"{path}: the inventory is not UTF-8 text", hint="save it as UTF-8"
        ) from None


def parse(text: str, *, source: str, allow_test: bool = False) -> Inventory:
    """The same from a string; `source` is the name that messages begin with."""
    reading = read(text, source=source, allow_test=allow_test)
    refusal = reading.faults.refusal(line_of=lambda path: find_places(text).line_of(path))
    if reading.inventory is None:
        raise refusal or NetbootError(f"{source} cannot be read", hint="check it")
    return reading.inventory


def read(text: str, *, source: str, allow_test: bool = False) -> Reading:
    """The inventory with all its faults; text that is no TOML is refused."""
    faults = Faults(source)
    try:
        values = values_of(text)
    except tomllib.TOMLDecodeError as error:
        raise broken(source, text, error) from None
    except ValueError as error:  # a number of thousands of digits
        raise NetbootError(f"{source}: not valid TOML: {error}", hint="correct that line") from None
    except RecursionError:
        raise NetbootError(
            f"{source}: not valid TOML: nested too deep", hint="write tables, not lists in lists"
        ) from None
    top = Table(faults, (), "top level", values)
    server_table = top.table("server")
    server = None
    if server_table is None:
        if not top.has("server"):
            hint = "say address, subnet and interface there"
            faults.add(Fault((), "[server]", "is missing", hint))
    else:
        server_table.where = "[server]"
        server = _server(server_table)
    site = _site(top, server.title if server else _TITLE)
    found = agreement.Found(
        server_table=server_table,
        server=server,
        entries=read_entries(top, allow_test=allow_test),
        states=read_states(top),
        centres=[(t, _centre(n, t)) for n, t in top.tables("centres")],
        rooms=[(t, _room(n, t)) for n, t in top.tables("rooms")],
        groups=[(t, _group(n, t)) for n, t in top.tables("groups")],
        clients=[(t, _client(t)) for t in top.list_of_tables("clients")],
        adapters=_adapters(top),
    )
    top.finish()
    agreement.check(found)
    if faults.errors or server is None:
        return Reading(None, faults, found)
    return Reading(_whole(found, server, site), faults, found)


def _whole(found: agreement.Found, server: Server, site: Site) -> Inventory:
    return Inventory(
        server=server,
        site=site,
        entries=with_local_disk(agreement.values(found.entries)),
        rooms=agreement.values(found.rooms),
        clients=agreement.values(found.clients),
        centres=agreement.values(found.centres),
        groups=agreement.values(found.groups),
        states=agreement.values(found.states),
        adapters=frozenset(found.adapters),
    )


def _server(table: Table) -> Server | None:
    address = table.required("address", checks.ipv4)
    subnet = table.required("subnet", checks.subnet)
    interface = table.required("interface", checks.interface)
    http_port = table.integer("http_port", low=1, high=65535) or 80
    dhcp = table.choice("dhcp", Dhcp) or Dhcp.PROXY
    bounds = table.texts("dhcp_range", checks.ipv4)
    router = table.text("router", checks.ipv4)
    choices = read_choices(table)
    server = Server(
        title=table.text("title", checks.title, _TITLE),
        address=address or IPv4Address(0),
        http_port=http_port,
        subnet=subnet or IPv4Network(0),
        interface=interface or "",
        dhcp=dhcp,
        dhcp_range=(bounds[0], bounds[1]) if len(bounds) == 2 else None,
        lease_hours=table.integer("lease_hours", low=1, high=8760) or 12,
        router=router,
        dns=table.texts("dns", checks.ipv4),
        uefi_loader=table.choice("uefi_loader", UefiLoader) or UefiLoader.IPXE,
        tftp_root=table.text("tftp_root", checks.directory),
        site_overlay=table.flag("site_overlay", False),
        choices=choices,
    )
    table.finish()
    if address is None or subnet is None:
        return None
    return replace(server, choices=joined((Choices(repository=server.authority), choices)))


def _site(top: Table, usual: str) -> Site:
    table = top.table("site")
    if table is None:
        return Site(usual)
    table.where = "[site]"
    site = Site(
        title=table.text("title", checks.title, usual),
        unit_folders=table.flag("unit_folders", False),
    )
    table.finish()
    return site


def _centre(name: str, table: Table) -> Centre:
    check_name(table, name)
    centre = Centre(
        name=name,
        title=table.text("title", checks.title, name),
        unit=table.text("unit", checks.name),
        choices=read_choices(table),
    )
    table.finish()
    return centre


def _room(name: str, table: Table) -> Room:
    check_name(table, name)
    room = Room(
        name=name,
        title=table.text("title", checks.title, name),
        group=table.text("group", checks.name, name),
        centre=table.text("centre", checks.name),
        unit=table.text("unit", checks.name),
        choices=read_choices(table),
    )
    table.finish()
    return room


def _group(name: str, table: Table) -> Group:
    check_name(table, name)
    group = Group(
        name=name,
        title=table.text("title", checks.title, name),
        within=table.text("within", checks.name),
        choices=read_choices(table),
    )
    table.finish()
    return group


def _client(table: Table) -> Client:
    mac, more = table.text("mac", checks.mac), table.texts("macs", checks.mac)
    uuid = table.text("uuid", checks.uuid)
    if not any(map(table.has, ("mac", "macs", "uuid"))):
        hint = f"add `mac = ...` to {table.where}, or the `uuid` of its firmware"
        table.error("mac", "is missing", hint=hint)
    name = table.required("name", checks.hostname)
    client = Client(
        macs=tuple(dict.fromkeys(((mac,) if mac else ()) + more)),
        name=name or "",
        room=table.text("room", checks.name),
        ip=table.text("ip", checks.ipv4),
        firmware=table.choice("firmware", Firmware) or Firmware.AUTO,
        uuid=uuid,
        serial=table.text("serial", checks.serial),
        groups=table.texts("groups", checks.name),
        hardware=table.text("hardware", checks.name),
        teacher=table.flag("teacher", False),
        choices=read_choices(table, "entry"),
    )
    table.finish()
    return client


def _adapters(top: Table) -> tuple[str, ...]:
    table = top.table("adapters")
    if table is None:
        return ()
    table.where = "[adapters]"
    shared = table.texts("shared", checks.mac)
    table.finish()
    return shared
