# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot list [SCOPE]`: which scopes there are, or the PCs of one."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator

from ognetboot.inventory import reading
from ognetboot.inventory.model import Client, Inventory, ScopeKind
from ognetboot.inventory.origins import origins
from ognetboot.inventory.scopes import ALL, Scope, clients_in, find_scope, scopes_around
from ognetboot.verbs import Verbs, add_inventory, add_json, add_test, table


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "list",
        help="list centres, rooms and groups, or the PCs of one of them",
        description="Without SCOPE: every centre, room and group with the number of its PCs and "
        "what they start. With one (`all`, `room:aula1`, `aula1`): its PCs.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("scope", nargs="?", metavar="SCOPE", help="all, centre:X, room:X, group:X")
    add_inventory(verb)
    add_test(verb)
    add_json(verb)


def run(args: argparse.Namespace) -> str:
    """The list."""
    inventory = reading.load(args.inventory, allow_test=args.test)
    if args.scope is None:
        return _scopes(inventory, as_json=args.json)
    scope = find_scope(inventory, args.scope)
    return _pcs(inventory, scope, as_json=args.json)


def _titles(inventory: Inventory) -> Iterator[tuple[Scope, str]]:
    yield ALL, inventory.site.title
    yield from ((Scope(ScopeKind.CENTRE, c.name), c.title) for c in inventory.centres)
    yield from ((Scope(ScopeKind.ROOM, r.name), r.title) for r in inventory.rooms)
    yield from ((Scope(ScopeKind.GROUP, g.name), g.title) for g in inventory.groups)


def _scopes(inventory: Inventory, *, as_json: bool) -> str:
    counts = Counter(s for c in inventory.clients for s in scopes_around(inventory, c))
    told = [
        {
            "scope": str(scope),
            "title": title,
            "pcs": counts[scope],
            "starts": str(origins(inventory, scope)["entry"].value),
        }
        for scope, title in _titles(inventory)
    ]
    if as_json:
        return json.dumps({"scopes": told}, ensure_ascii=False)
    rows = [(str(t["scope"]), str(t["pcs"]), str(t["starts"]), str(t["title"])) for t in told]
    return table([("SCOPE", "PCS", "STARTS", "TITLE"), *rows])


def _pcs(inventory: Inventory, scope: Scope, *, as_json: bool) -> str:
    clients = clients_in(inventory, scope)
    if as_json:
        return json.dumps({"pcs": [_told(inventory, c) for c in clients]}, ensure_ascii=False)
    if not clients:
        return f"{scope} holds no PC"
    rows = [
        (
            client.name,
            client.mac or client.uuid or "",
            str(client.ip or "-"),
            client.room or "-",
            inventory.entry_of(client).name,
        )
        for client in clients
    ]
    return table([("PC", "MAC OR UUID", "IP", "ROOM", "STARTS"), *rows])


def _told(inventory: Inventory, client: Client) -> dict[str, object]:
    centre = inventory.centre_of(client)
    return {
        "name": client.name,
        "macs": list(client.macs),
        "uuid": client.uuid,
        "serial": client.serial,
        "ip": str(client.ip) if client.ip else None,
        "firmware": client.firmware,
        "room": client.room,
        "centre": centre.name if centre else None,
        "groups": [group.name for group in inventory.groups_of(client)],
        "unit": inventory.unit_of(client),
        "teacher": client.teacher,
        "hardware": client.hardware,
        "starts": inventory.entry_of(client).name,
    }
