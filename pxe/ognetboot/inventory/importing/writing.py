# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of an inventory with what was imported: a new one, or one that is there. Pure."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network

from ognetboot.errors import NetbootError
from ognetboot.inventory import reading
from ognetboot.inventory.editing import NewTable, Value, toml, with_tables
from ognetboot.inventory.importing.brought import Brought
from ognetboot.inventory.importing.names import title_of
from ognetboot.inventory.importing.outcome import Outcome

_HEAD = """\
# Imported by `ognetboot import` from {source}.
# `ognetboot check` names what is still missing; docs/guide.md tells of every key.
"""
_ORDER = ("centres", "groups", "rooms", "clients")


def new_text(brought: Brought, outcome: Outcome) -> str:
    """A new inventory. What nobody told of its server stands there as a comment."""
    known: dict[str, Value] = {}
    address = _address(brought.server) or _address(brought.repository)
    if address is not None:
        known["address"] = str(address)
        subnet = _around(outcome.tables, address)
        if subnet is not None:
            known["subnet"] = str(subnet)
    if brought.repository and brought.repository != known.get("address"):
        known["repository"] = brought.repository
    lines = [_HEAD.format(source=title_of(brought.source, 200)), "[site]"]
    lines.append(f"title = {toml(title_of(brought.title, 60) or 'ogLive')}")
    if brought.unit_folders:
        lines.append("unit_folders = true")
    lines += ["", "[server]", *(f"{key} = {toml(value)}" for key, value in known.items())]
    for key, sample in (
        ("address", '"10.0.2.2"'), ("subnet", '"10.0.2.0/24"'), ("interface", '"eth0"')
    ):  # fmt: skip
        if key not in known:
            lines.append(f"# To be filled in: {key} = {sample}")
    text = "\n".join(lines) + "\n"
    for family in _ORDER:
        text = with_tables(text, [t for t in outcome.tables if t.family == family])
    return text


def added_text(text: str, outcome: Outcome) -> str:
    """An inventory that is there, with what is new behind what is of its kind."""
    return with_tables(text, outcome.tables)


def proven(text: str, source: str) -> list[str]:
    """What is missing of the text; refused where the import itself wrote something wrong."""
    faults = reading.read(text, source=source).faults
    missing = [fault.where for fault in faults.errors if fault.path[:1] == ("server",)]
    wrong = [fault for fault in faults.errors if fault.path[:1] != ("server",)]
    refusal = faults.refusal(wrong)
    if refusal is not None:
        raise NetbootError(
            f"the import does not make a valid inventory: {refusal.message}", hint=refusal.hint
        )
    return missing


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None


def _around(tables: list[NewTable], address: IPv4Address) -> IPv4Network | None:
    """The smallest usual network around the server and all its PCs; None: there is none."""
    found = [IPv4Address(str(table.values["ip"])) for table in tables if "ip" in table.values]
    for prefix in range(24, 15, -1):
        network = IPv4Network(f"{address}/{prefix}", strict=False)
        inside = all(ip in network for ip in found)
        if inside and address not in (network.network_address, network.broadcast_address):
            return network
    return None
