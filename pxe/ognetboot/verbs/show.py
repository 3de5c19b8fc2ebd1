# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot show SCOPE`: what it starts, and every choice with the scope that it comes from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ognetboot.assigning import times
from ognetboot.assigning.coming import as_json, as_rows, coming
from ognetboot.assigning.model import Assignment
from ognetboot.assigning.offers import FOR_GOOD
from ognetboot.assigning.setting import named, offers, reasons, whom
from ognetboot.assigning.store import Store
from ognetboot.hearing.seen import seen_of
from ognetboot.inventory import reading
from ognetboot.inventory.model import Inventory, ScopeKind, State
from ognetboot.inventory.origins import Origin, origins
from ognetboot.inventory.scopes import Scope, clients_in, find_scope
from ognetboot.verbs import Verbs, add_inventory, add_json, add_test, table


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "show",
        help="show what a PC, a room or a centre starts, and where each choice comes from",
        description="Every choice that holds in SCOPE, and the scope that says it.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("scope", metavar="SCOPE", help="all, centre:X, room:X, group:X, pc:X, or X")
    add_inventory(verb)
    add_test(verb)
    add_json(verb)


def run(args: argparse.Namespace) -> str:
    """The scope, told."""
    inventory = reading.load(args.inventory, allow_test=args.test)
    scope = find_scope(inventory, args.scope)
    found = origins(inventory, scope)
    state = _state(inventory, found)
    given = _given(args.inventory, inventory, scope)
    if args.json:
        told = {
            "scope": str(scope),
            "pcs": len(clients_in(inventory, scope)),
            "facts": dict(_facts(inventory, scope)),
            "now": [{"entry": e, "why": why, "pcs": pcs} for (e, why), pcs in given.now.items()],
            "later": as_json(given.later),
            "choices": {name: origin.as_json() for name, origin in found.items()},
            "state": _state_json(state) if state else None,
        }
        return json.dumps(told, ensure_ascii=False)
    entry = inventory.entry(str(found["entry"].value))
    rows = [(name, value, "") for name, value in _facts(inventory, scope)]
    rows.append(("starts", f"{entry.name} ({entry.title or entry.kind})", found["entry"].source))
    rows += given.rows(scope)
    rows += _seen(args.inventory, scope)
    rows += [(n, _shown(o.value), o.source) for n, o in found.items() if n != "entry"]
    if state is not None:
        rows += [(f"  {s.disk} {s.partition}", s.image, "default" if s == state.default else "")
                 for s in state.systems]  # fmt: skip
    return f"{scope}\n{table(rows)}"


def _shown(value: object) -> str:
    """A choice as the inventory writes it; the time at which one ends as it is told elsewhere."""
    return times.told_end(value) if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, slots=True)
class _Given:
    """`now`: what PCs start, and why, where that is something else for a while; each with the
    names of its PCs. `later`: what has not begun yet."""

    now: Mapping[tuple[str, str], list[str]]
    later: list[Assignment]

    def rows(self, scope: Scope) -> Iterator[tuple[str, str, str]]:
        """As rows of the table."""
        for (entry, why), pcs in self.now.items():
            yield "  now", entry, why if scope.kind is ScopeKind.PC else f"{why}: {named(pcs)}"
        yield from ((f"  {word}", entry, how) for word, entry, how in as_rows(self.later))


def _given(file: Path, inventory: Inventory, scope: Scope) -> _Given:
    clients, assigned = whom(inventory, scope).clients, Store(file.resolve()).read()
    now = datetime.now(UTC)
    found = reasons(offers(inventory, assigned, clients, now))
    return _Given(
        {(entry, why): pcs for (entry, why), pcs in found.items() if why != FOR_GOOD},
        coming(inventory, assigned, clients, now),
    )


def _seen(file: Path, scope: Scope) -> Iterator[tuple[str, str, str]]:
    """When the PC was heard last, and what it got to."""
    seen = seen_of(file.resolve()).get(scope.name) if scope.kind is ScopeKind.PC else None
    if seen is not None:
        version = f", ogLive {seen.oglive}" if seen.oglive else ""
        yield "last seen", times.told(seen.at), f"{seen.entry} at {seen.ip}{version}"


def _facts(inventory: Inventory, scope: Scope) -> list[tuple[str, str]]:
    """What the scope is, apart from what may be chosen for it."""
    if scope.kind is not ScopeKind.PC:
        return [("PCs", str(len(clients_in(inventory, scope))))]
    client = next(c for c in inventory.clients if c.name == scope.name)
    facts = {
        "MAC": ", ".join(client.macs),
        "UUID": client.uuid,
        "serial": client.serial,
        "IP": client.ip and str(client.ip),
        "firmware": client.firmware,
        "room": client.room,
        "groups": ", ".join(group.name for group in inventory.groups_of(client)),
        "unit": inventory.unit_of(client),
        "hardware": client.hardware,
        "teacher": "yes" if client.teacher else "",
    }
    return [(name, value) for name, value in facts.items() if value]


def _state(inventory: Inventory, found: dict[str, Origin]) -> State | None:
    name = found["state"].value if "state" in found else None
    return next((s for s in inventory.states if s.name == name), None)


def _state_json(state: State) -> dict[str, object]:
    return {
        "name": state.name,
        "layout": state.layout,
        "systems": [
            {"disk": s.disk, "partition": s.partition, "image": s.image, "title": s.title,
             "default": s == state.default}
            for s in state.systems
        ],
    }  # fmt: skip
