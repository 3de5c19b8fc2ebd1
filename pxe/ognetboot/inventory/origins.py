# SPDX-License-Identifier: GPL-3.0-or-later
"""Which scope each choice comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ognetboot.inventory.choices import Choices
from ognetboot.inventory.model import DEFAULTS, Centre, Group, Inventory, Room, ScopeKind
from ognetboot.inventory.scopes import ALL, Scope

Named = TypeVar("Named", Centre, Room, Group)


@dataclass(frozen=True, slots=True)
class Origin:
    """One choice that holds: `scope` says it; None: nobody does, and it is so by itself."""

    value: object
    scope: Scope | None

    @property
    def source(self) -> str:
        """Whence, for a person."""
        return "by default" if self.scope is None else f"from {self.scope}"

    def as_json(self) -> dict[str, object]:
        """Value and scope as JSON has them."""
        value = self.value if isinstance(self.value, int) else str(self.value)
        if isinstance(self.value, datetime):
            value = self.value.isoformat()
        return {"value": value, "from": None if self.scope is None else str(self.scope)}


def chain_of(inventory: Inventory, scope: Scope) -> list[tuple[Scope | None, Choices]]:
    """Who says what around a scope, from wide to narrow, the scope's own word last."""
    chain: list[tuple[Scope | None, Choices]] = [
        (None, DEFAULTS),
        (ALL, inventory.server.choices),
    ]
    match scope.kind:
        case ScopeKind.CENTRE:
            chain.append((scope, _of(inventory.centres, scope.name).choices))
        case ScopeKind.ROOM:
            room = _of(inventory.rooms, scope.name)
            if room.centre is not None:
                centre = _of(inventory.centres, room.centre)
                chain.append((Scope(ScopeKind.CENTRE, centre.name), centre.choices))
            chain.append((scope, room.choices))
        case ScopeKind.GROUP:
            around = inventory.around(scope.name)
            chain += [(Scope(ScopeKind.GROUP, g.name), g.choices) for g in around]
        case ScopeKind.PC:
            client = next(c for c in inventory.clients if c.name == scope.name)
            chain += [(Scope(k, n), c) for k, n, c in inventory.scopes_of(client)[1:]]
    return chain


def _of(named: Iterable[Named], name: str) -> Named:
    return next(one for one in named if one.name == name)


def origins(inventory: Inventory, scope: Scope) -> dict[str, Origin]:
    """Every choice that holds in a scope by its name, disk rules as `disks.RULE`."""
    found: dict[str, Origin] = {}
    for whose, choices in chain_of(inventory, scope):
        for name, value in choices.said().items():
            if name == "disks":
                found |= {f"disks.{rule}": Origin(disk, whose) for rule, disk in choices.disks}
            else:
                found[name] = Origin(value, whose)
    return found
