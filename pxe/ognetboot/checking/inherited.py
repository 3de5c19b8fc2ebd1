# SPDX-License-Identifier: GPL-3.0-or-later
"""What is strange only once it is known what holds for which PC.

Judged where the inventory has no error. What many PCs have from one scope is told once, where that
scope says it, with the first of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from ognetboot.assigning import able
from ognetboot.inventory.agreement import Found
from ognetboot.inventory.choices import Choices, Method
from ognetboot.inventory.entries import After
from ognetboot.inventory.fields import Table
from ognetboot.inventory.model import Client, Dhcp, Inventory, ScopeKind
from ognetboot.inventory.scopes import ALL, Scope


@dataclass(frozen=True)
class Whole:
    """An inventory without errors, and the tables that it was read from."""

    inventory: Inventory
    found: Found
    now: datetime

    @cached_property
    def tables(self) -> Mapping[Scope, Table]:
        """The table of each scope."""
        found = self.found
        named = {
            ScopeKind.CENTRE: found.centres,
            ScopeKind.ROOM: found.rooms,
            ScopeKind.GROUP: found.groups,
        }
        tables = {
            Scope(kind, str(table.path[-1])): table
            for kind, read in named.items()
            for table, _ in read
        }
        tables |= {Scope(ScopeKind.PC, c.name): t for t, c in found.clients}
        if found.server_table is not None:
            tables[ALL] = found.server_table
        return tables

    def says(self, client: Client | None, name: str) -> Scope:
        """The narrowest scope around a PC that says the choice."""
        whose = ALL
        for kind, called, choices in self.inventory.scopes_of(client):
            if name in choices.said():
                whose = Scope(kind, called)
        return whose

    def warn(self, scope: Scope, name: str, what: str, *, hint: str) -> None:
        """Keep a warning with the table of the scope."""
        key = name
        if name == "entry" and scope.kind is not ScopeKind.PC:
            key = "default_entry"
        self.tables[scope].warn(key, what, hint=hint)


def warn_of_whole(whole: Whole) -> None:
    """Keep a warning for all that does not fit together."""
    _warn_of_unused(whole)
    _warn_of_groups(whole)
    _warn_of_sessions(whole)
    _warn_of_range(whole)
    _warn_of_starts(whole)


def _warn_of_unused(whole: Whole) -> None:
    inventory, found = whole.inventory, whole.found
    rooms = {client.room for client in inventory.clients}
    groups = {group.name for client in inventory.clients for group in inventory.groups_of(client)}
    centres = {room.centre for room in inventory.rooms}
    states = {choices.state for choices in _said(whole)}
    empty = (
        (found.rooms, rooms, "no PC stands in it"),
        (found.groups, groups, "no PC is in it"),
        (found.centres, centres, "no room belongs to it"),
        (found.states, states, "no scope declares it"),
    )
    for read, used, what in empty:
        for table, _ in read:
            if table.path[-1] not in used:
                table.warn_whole(what, hint="remove it, or correct who names it")


def _said(whole: Whole) -> Iterator[Choices]:
    inventory = whole.inventory
    yield inventory.server.choices
    yield from (c.choices for c in inventory.centres)
    yield from (r.choices for r in inventory.rooms)
    yield from (g.choices for g in inventory.groups)
    yield from (c.choices for c in inventory.clients)


def _warn_of_groups(whole: Whole) -> None:
    """Two groups side by side that say different things of one PC: the order decides, silently."""
    told = set[tuple[str, str, str]]()
    for client in whole.inventory.clients:
        if len(client.groups) < 2:
            continue
        first: dict[str, tuple[str, object]] = {}
        for name in client.groups:
            said = next(g for g in whole.inventory.groups if g.name == name).choices.said()
            for key, value in said.items():
                other, before = first.setdefault(key, (name, value))
                if before != value and (other, name, key) not in told:
                    told.add((other, name, key))
                    whole.warn(
                        Scope(ScopeKind.PC, client.name),
                        "groups",
                        f"{other} and {name} say another {key}, and the last one counts",
                        hint="say it in one of them, or at the PC",
                    )


def _warn_of_sessions(whole: Whole) -> None:
    sessions: dict[str, Scope] = {}
    for scope, table in whole.tables.items():
        if scope.kind is ScopeKind.PC or not table.has("multicast"):
            continue
        session = str(table.value("multicast")).rsplit(":", 3)[0]
        first = sessions.setdefault(session, scope)
        if first != scope:
            whole.warn(
                scope,
                "multicast",
                f"port and address are those of {first}: two sessions at a time would mix",
                hint="give each its own",
            )


def _warn_of_range(whole: Whole) -> None:
    server = whole.inventory.server
    if server.dhcp is not Dhcp.OWN or server.dhcp_range is None:
        return
    first, last = server.dhcp_range
    room = int(last) - int(first) + 1
    need = sum(client.ip is None for client in whole.inventory.clients)
    if need > room:
        whole.warn(
            ALL,
            "dhcp_range",
            f"{need} PCs have no `ip` of their own, and the range holds {room}",
            hint="widen it, or give PCs fixed addresses",
        )


def _warn_of_starts(whole: Whole) -> None:
    """What PCs start by themselves, and how their images come."""
    inventory = whole.inventory
    found: dict[tuple[Scope, str, str, str], Counter[str]] = defaultdict(Counter)
    for client in inventory.clients:
        choices = inventory.choices_of(client)
        entry = inventory.entry(choices.entry or "")
        for name, what, hint in _strange_of(whole, client, choices):
            found[whole.says(client, name), name, what, hint][client.name] += 1
        if entry.job is not None and entry.job.after is After.REBOOT:
            what = f"`{entry.name}` does its job and restarts, so that the PC does it for ever"
            hint = "assign it with `set --once`, or let it end with poweroff"
            found[whole.says(client, "entry"), "entry", what, hint][client.name] += 1
    for (scope, name, what, hint), names in found.items():
        whole.warn(scope, name, what + _of_pcs(scope, list(names)), hint=hint)


def _strange_of(whole: Whole, client: Client, choices: Choices) -> Iterator[tuple[str, str, str]]:
    entry = whole.inventory.entry(choices.entry or "")
    reason = able.why_not(whole.inventory, client, entry, whole.now)
    if reason is not None:
        yield "entry", f"`{entry.name}`: the PC {reason}", "it starts its disk until then"
    method = choices.method or ""
    if method in (Method.MULTICAST_CACHE, Method.MULTICAST_DIRECT) and not choices.multicast:
        yield "method", f"{method} has no `multicast` session", "say port, mode, address and speed"
    if method in (Method.TORRENT_CACHE, Method.TORRENT_DIRECT) and not choices.p2p:
        yield "method", f"{method} has no `p2p`", 'say it as in p2p = "peer:60"'


def _of_pcs(scope: Scope, names: list[str]) -> str:
    if scope.kind is ScopeKind.PC:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f" ({names[0]}{more})"
