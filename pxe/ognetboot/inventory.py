# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an inventory file into the model, or refuses it with one sentence.

It owns the shape of the file and the checks between values (references, duplicates, addresses
inside the subnet, open consoles only with leave). What a single value may be is in `checks.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

from ognetboot import checks
from ognetboot.errors import NetbootError
from ognetboot.fields import Table
from ognetboot.model import (
    LOCAL_DISK,
    After,
    Client,
    Dhcp,
    Entry,
    Firmware,
    Inventory,
    Job,
    Kind,
    Profile,
    Room,
    Server,
    UefiLoader,
    Variant,
    Work,
)

# Partitions are counted from 1 as in OpenGnsys; a GPT of usual size ends at 128.
_LAST_PARTITION = 128


def load(path: Path, *, allow_test: bool = False) -> Inventory:
    """Read and check the inventory at `path`; open-console profiles only with `allow_test`."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise NetbootError(
            f"{path}: the inventory cannot be read: {error.strerror}", hint="check the path"
        ) from None
    except UnicodeDecodeError:
        raise NetbootError(
            f"{path}: the inventory is not UTF-8 text", hint="save it as UTF-8"
        ) from None
    return parse(text, source=path.name, allow_test=allow_test)


def parse(text: str, *, source: str, allow_test: bool = False) -> Inventory:
    """The same from a string; `source` is the name that messages begin with."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NetbootError(f"{source}: not valid TOML: {error}", hint="correct that line") from None
    top = Table(source, "top level", values)
    server_table = top.table("server")
    if server_table is None:
        raise NetbootError(
            f"{source}: [server] is missing", hint="say address, subnet and interface there"
        )
    server_table.where = "[server]"
    server = _server(server_table)
    entries = _entries(top, allow_test=allow_test)
    if server.default_entry not in {e.name for e in entries}:
        raise _no_entry(server_table, "default_entry", server.default_entry, entries)
    rooms = tuple(_room(name, table, entries) for name, table in top.tables("rooms"))
    clients = _clients(top, server, entries, rooms)
    top.finish()
    return Inventory(server, entries, rooms, clients)


def _server(table: Table) -> Server:
    address = table.required("address", checks.ipv4)
    subnet = table.required("subnet", checks.subnet)
    if address not in subnet:
        raise table.error("address", f"{address} is not in the subnet {subnet}")
    http_port = table.integer("http_port", 80, low=1, high=65535)
    here = str(address) if http_port == 80 else f"{address}:{http_port}"
    dhcp = table.choice("dhcp", Dhcp, Dhcp.PROXY)
    bounds = table.texts("dhcp_range", checks.ipv4)
    if dhcp is Dhcp.OWN and len(bounds) != 2:
        raise table.error(
            "dhcp_range",
            'must name first and last address when dhcp = "own"',
            hint='add e.g. `dhcp_range = ["10.0.2.100", "10.0.2.200"]`',
        )
    if dhcp is not Dhcp.OWN and bounds:
        raise table.error("dhcp_range", f'means nothing with dhcp = "{dhcp}"', hint="remove it")
    if bounds and not (bounds[0] in subnet and bounds[1] in subnet and bounds[0] <= bounds[1]):
        raise table.error(
            "dhcp_range", f"{bounds[0]} to {bounds[1]} is not a range inside {subnet}"
        )
    if bounds and bounds[0] <= address <= bounds[1]:
        raise table.error("dhcp_range", f"holds the server's own address {address}")
    router = table.text("router", checks.ipv4)
    if router is not None and router not in subnet:
        raise table.error("router", f"{router} is not in the subnet {subnet}")
    uefi_loader = table.choice("uefi_loader", UefiLoader, UefiLoader.IPXE)
    if uefi_loader is UefiLoader.SHIM and dhcp is Dhcp.PROXY:
        raise table.error(
            "uefi_loader",
            "Debian's signed GRUB asks the site's DHCP for its server, not the proxy",
            hint='let the site\'s DHCP name this server and shimx64.efi, and set dhcp = "off"',
        )
    server = Server(
        title=table.text("title", checks.title, "ogLive network boot"),
        address=address,
        http_port=http_port,
        subnet=subnet,
        interface=table.required("interface", checks.interface),
        repository=table.text("repository", checks.host_port, here),
        default_entry=table.text("default_entry", checks.name, LOCAL_DISK),
        timeout_s=table.integer("timeout_s", 10, low=0, high=3600),
        dhcp=dhcp,
        dhcp_range=(bounds[0], bounds[1]) if bounds else None,
        lease_hours=table.integer("lease_hours", 12, low=1, high=8760),
        router=router,
        dns=table.texts("dns", checks.ipv4),
        uefi_loader=uefi_loader,
        tftp_root=table.text("tftp_root", checks.directory),
        site_overlay=table.flag("site_overlay", False),
    )
    table.finish()
    return server


def _entries(top: Table, *, allow_test: bool) -> tuple[Entry, ...]:
    entries = [_entry(name, table, allow_test=allow_test) for name, table in top.tables("entries")]
    if LOCAL_DISK not in {e.name for e in entries}:
        entries.insert(0, Entry(LOCAL_DISK, Kind.LOCALDISK))
    return tuple(entries)


def _entry(name: str, table: Table, *, allow_test: bool) -> Entry:
    _typed(table, name)
    kind = table.choice("kind", Kind, Kind.LOCALDISK if name == LOCAL_DISK else Kind.OGLIVE)
    title = table.required("title", checks.title)
    if (name == LOCAL_DISK) != (kind is Kind.LOCALDISK):
        raise table.error(
            "kind",
            f"the entry `{LOCAL_DISK}` and the kind `{Kind.LOCALDISK}` belong together",
            hint="there is one local disk: name it so, and nothing else",
        )
    if kind is Kind.LOCALDISK:
        in_menu = table.flag("in_menu", True)
        table.finish()
        return Entry(name, kind, title, in_menu=in_menu)
    profile = table.choice("profile", Profile, Profile.DEFAULT)
    if profile is not Profile.DEFAULT and not allow_test:
        raise table.error(
            "profile",
            f"`{profile}` has an open root console and is not served",
            hint="render with --test on a test network, or choose another profile",
        )
    job_table = table.table("job")
    job = _job(job_table) if job_table else None
    entry = Entry(
        name=name,
        kind=kind,
        title=title,
        profile=profile,
        version=table.text("version", checks.name, "current"),
        variant=table.choice("variant", Variant, Variant.TWO_STAGE),
        admin=table.flag("admin", False),
        console=table.texts("console", checks.console),
        args=table.texts("args", checks.argument),
        job=job,
        # A job writes to disks: it is not one key away in a menu unless somebody says so.
        in_menu=table.flag("in_menu", job is None),
    )
    table.finish()
    return entry


def _job(table: Table) -> Job:
    work, image = _work(table)
    if work is Work.UPDATE_CACHE:
        for key in ("disk", "partition"):
            table.refuse(key, f"means nothing with `{work}`: a PC has one cache")
    if work is not Work.DEPLOY:
        table.refuse("layout", f"means nothing with `{work}`, only with `{Work.DEPLOY}`")
    disk = None if work is Work.UPDATE_CACHE else table.word("disk", checks.disk)
    partition = table.integer("partition", 0, low=1, high=_LAST_PARTITION) or None
    if partition is None and work is Work.DEPLOY:
        raise table.error("partition", "is missing", hint="add `partition = 1`, counted from 1")
    job = Job(
        work=work,
        image=image,
        disk=disk,
        partition=partition,
        layout=table.text("layout", checks.name),
        after=table.choice("after", After, After.STAY),
    )
    table.finish()
    return job


def _work(table: Table) -> tuple[Work, str]:
    """Which of the four words the job has, and the image that it names."""
    named = {
        work: table.text(work, checks.image if work is Work.CREATE else checks.image_version)
        for work in Work
    }
    found = [(work, image) for work, image in named.items() if image is not None]
    if not found:
        raise table.error(
            Work.DEPLOY, "is missing", hint=f"a job names an image with one of {', '.join(Work)}"
        )
    if len(found) > 1:
        raise table.error(
            found[1][0],
            f"stands beside `{found[0][0]}`, and a job is one piece of work",
            hint="make a second entry of it",
        )
    return found[0]


def _room(name: str, table: Table, entries: Iterable[Entry]) -> Room:
    _typed(table, name)
    timeout_s = table.integer("timeout_s", -1, low=0, high=3600)
    room = Room(
        name=name,
        title=table.text("title", checks.title, name),
        group=table.text("group", checks.name, name),
        default_entry=table.text("default_entry", checks.name),
        timeout_s=None if timeout_s < 0 else timeout_s,
        disks=table.pairs("disks", checks.disk_rule, checks.disk),
    )
    if room.default_entry is not None and room.default_entry not in {e.name for e in entries}:
        raise _no_entry(table, "default_entry", room.default_entry, entries)
    table.finish()
    return room


def _clients(
    top: Table, server: Server, entries: tuple[Entry, ...], rooms: tuple[Room, ...]
) -> tuple[Client, ...]:
    taken: dict[tuple[str, str], str] = {}
    clients = []
    for table in top.list_of_tables("clients"):
        client = Client(
            mac=table.required("mac", checks.mac),
            name=table.required("name", checks.hostname),
            room=table.text("room", checks.name),
            entry=table.text("entry", checks.name),
            ip=table.text("ip", checks.ipv4),
            firmware=table.choice("firmware", Firmware, Firmware.AUTO),
            disks=table.pairs("disks", checks.disk_rule, checks.disk),
        )
        table.finish()
        if client.room is not None and client.room not in {r.name for r in rooms}:
            raise table.error(
                "room", f"there is no [rooms.{client.room}]", hint="add it, or correct the name"
            )
        if client.entry is not None and client.entry not in {e.name for e in entries}:
            raise _no_entry(table, "entry", client.entry, entries)
        if client.ip is not None:
            _check_ip(table, client.ip, server)
        unique = {"mac": client.mac, "name": client.name.lower(), "ip": str(client.ip or "")}
        for key, value in unique.items():
            first = taken.setdefault((key, value), table.where)
            if value and first != table.where:
                raise table.error(
                    key, f"{value} is already that of {first}", hint="give each PC its own"
                )
        clients.append(client)
    return tuple(clients)


def _check_ip(table: Table, ip: IPv4Address, server: Server) -> None:
    net = server.subnet
    if ip not in net or ip in (net.network_address, net.broadcast_address):
        raise table.error("ip", f"{ip} is not the address of a PC in the subnet {net}")
    if ip in (server.address, server.router):
        raise table.error("ip", f"{ip} is the address of the server or the router")


def _typed(table: Table, name: str) -> None:
    try:
        checks.name(name)
    except ValueError as error:
        raise table.error("name", str(error)) from None


def _no_entry(table: Table, key: str, name: str, entries: Iterable[Entry]) -> NetbootError:
    known = ", ".join(e.name for e in entries)
    return table.error(key, f"there is no entry `{name}`", hint=f"known entries: {known}")
