# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot list [SCOPE]`: which scopes there are, or the PCs of one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from ognetboot.assigning.coming import as_json, as_rows, coming
from ognetboot.assigning.model import Assignment
from ognetboot.assigning.offers import FOR_GOOD, Offered
from ognetboot.assigning.setting import counted, offers
from ognetboot.assigning.store import Store
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
        "what they start. With one (`all`, `room:aula1`, `aula1`): its PCs. STARTS is for good; "
        "NOW is there where something else is given for a while; what is to come stands below.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("scope", nargs="?", metavar="SCOPE", help="all, centre:X, room:X, group:X")
    add_inventory(verb)
    add_test(verb)
    add_json(verb)


def run(args: argparse.Namespace) -> str:
    """The list."""
    inventory = reading.load(args.inventory, allow_test=args.test)
    scope = ALL if args.scope is None else find_scope(inventory, args.scope)
    clients = clients_in(inventory, scope)
    assigned, now = Store(args.inventory.resolve()).read(), datetime.now(UTC)
    offered = offers(inventory, assigned, clients, now)
    later = coming(inventory, assigned, clients, now)
    key, told = (
        ("scopes", list(_scopes(inventory, offered)))
        if args.scope is None
        else ("pcs", [_pc(inventory, each, offered[each.name]) for each in clients])
    )
    if args.json:
        return json.dumps({key: told, "later": as_json(later)}, ensure_ascii=False)
    if not told:
        return f"{scope} holds no PC"
    rows = _scope_rows(told) if args.scope is None else _pc_rows(told)
    return "\n".join([table(_without_empty(rows)), *_later(later)])


def _later(later: list[Assignment]) -> list[str]:
    return [table(list(as_rows(later)))] if later else []


def _without_empty(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without the column NOW where nobody starts anything else for a while."""
    at = rows[0].index("NOW")
    if any(row[at] for row in rows[1:]):
        return list(rows)
    return [(*row[:at], *row[at + 1 :]) for row in rows]


def _titles(inventory: Inventory) -> Iterator[tuple[Scope, str]]:
    yield ALL, inventory.site.title
    yield from ((Scope(ScopeKind.CENTRE, c.name), c.title) for c in inventory.centres)
    yield from ((Scope(ScopeKind.ROOM, r.name), r.title) for r in inventory.rooms)
    yield from ((Scope(ScopeKind.GROUP, g.name), g.title) for g in inventory.groups)


def _scopes(inventory: Inventory, offered: Mapping[str, Offered]) -> Iterator[dict[str, object]]:
    inside: dict[Scope, dict[str, Offered]] = {}
    for client in inventory.clients:
        for scope in scopes_around(inventory, client):
            inside.setdefault(scope, {})[client.name] = offered[client.name]
    for scope, title in _titles(inventory):
        found = inside.get(scope, {})
        other = any(each.why != FOR_GOOD for each in found.values())
        yield {
            "scope": str(scope),
            "title": title,
            "pcs": len(found),
            "starts": str(origins(inventory, scope)["entry"].value),
            "now": counted(found) if other else None,
        }


def _scope_rows(told: Iterable[dict[str, object]]) -> list[tuple[str, ...]]:
    rows = [_cells(one, "scope", "pcs", "starts", "now", "title") for one in told]
    return [("SCOPE", "PCS", "STARTS", "NOW", "TITLE"), *rows]


def _cells(one: Mapping[str, object], *keys: str) -> tuple[str, ...]:
    return tuple("" if one[key] is None else str(one[key]) for key in keys)


def _pc_rows(told: Iterable[dict[str, object]]) -> list[tuple[str, ...]]:
    rows = []
    for one in told:
        name, ip, room, starts, now = _cells(one, "name", "ip", "room", "starts", "now")
        macs = one["macs"]
        first = macs[0] if isinstance(macs, list) and macs else str(one["uuid"] or "")
        why = f"{now}: {one['why']}" if now else ""
        rows.append((name, first, ip or "-", room or "-", starts, why))
    return [("PC", "MAC OR UUID", "IP", "ROOM", "STARTS", "NOW"), *rows]


def _pc(inventory: Inventory, client: Client, offered: Offered) -> dict[str, object]:
    centre = inventory.centre_of(client)
    other = offered.why != FOR_GOOD
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
        "now": offered.entry.name if other else None,
        "why": offered.why if other else None,
    }
