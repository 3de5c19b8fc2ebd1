# SPDX-License-Identifier: GPL-3.0-or-later
"""For whom something is said: `all`, `centre:X`, `room:X`, `group:X`, `pc:X`.

A bare word is looked up, and must mean one thing alone. A PC is named by its name, a MAC, its UUID
or its address; the others by their name or their title, exactly, or else whatever the accents,
capitals, blanks and signs: so a person writes them, and so OpenGnsys does.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ognetboot.errors import NetbootError
from ognetboot.inventory.checks import mac as normal_mac
from ognetboot.inventory.model import Centre, Client, Group, Inventory, Room, ScopeKind

Titled = Centre | Room | Group


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope of an inventory; `name` is empty for all, and a PC's name for a PC."""

    kind: ScopeKind
    name: str = ""

    def __str__(self) -> str:
        return self.kind if self.kind is ScopeKind.ALL else f"{self.kind}:{self.name}"


ALL = Scope(ScopeKind.ALL)


def find_scope(inventory: Inventory, text: str) -> Scope:
    """The scope that a person means by `text`; refused where there is none, or more than one."""
    if text.casefold() == ScopeKind.ALL:
        return ALL
    word, colon, name = text.partition(":")
    if colon and word.casefold() in list(ScopeKind)[1:]:
        kinds = {ScopeKind(word.casefold())}
    else:
        kinds, name = set(ScopeKind), text
    found = _meant(inventory, name, kinds)
    if len(found) > 1:
        listed = ", ".join(map(str, found))
        raise NetbootError(f"`{text}` means more than one: {listed}", hint="say which of them")
    if not found:
        known = [s.name for s in _all(inventory) if s.kind in kinds and s != ALL]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "`ognetboot list` says which there are"
        raise NetbootError(f"the inventory has no `{text}`", hint=hint)
    return found[0]


def _all(inventory: Inventory) -> Iterator[Scope]:
    yield ALL
    for kind, named in (
        (ScopeKind.CENTRE, inventory.centres),
        (ScopeKind.ROOM, inventory.rooms),
        (ScopeKind.GROUP, inventory.groups),
        (ScopeKind.PC, inventory.clients),
    ):
        yield from (Scope(kind, one.name) for one in named)


def _meant(inventory: Inventory, name: str, kinds: Collection[ScopeKind]) -> list[Scope]:
    """Every scope of these kinds that the word may mean; a PC by whatever identifies it."""
    by_kind: list[tuple[ScopeKind, Sequence[Titled]]] = [
        (ScopeKind.CENTRE, inventory.centres),
        (ScopeKind.ROOM, inventory.rooms),
        (ScopeKind.GROUP, inventory.groups),
    ]
    client = find_client(inventory, name) if ScopeKind.PC in kinds else None
    pcs = [] if client is None else [Scope(ScopeKind.PC, client.name)]
    for spoken in (_exact, _folded):
        found = [
            Scope(kind, one.name)
            for kind, named in by_kind
            if kind in kinds
            for one in _called(named, name, spoken)
        ]
        if found or pcs:
            return found + pcs
    return []


def rooms_called(inventory: Inventory, text: str) -> tuple[str, ...]:
    """Rooms of exactly that name or title; else those that differ in accents, case or signs."""
    for spoken in (_exact, _folded):
        if found := tuple(room.name for room in _called(inventory.rooms, text, spoken)):
            return found
    return ()


def _called(named: Iterable[Titled], text: str, spoken: Callable[[str], str]) -> Iterator[Titled]:
    word = spoken(text)
    for one in named:
        if word and word in (spoken(one.name), spoken(one.title)):
            yield one


def _exact(text: str) -> str:
    return text


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if char.isalnum())


def find_client(inventory: Inventory, text: str) -> Client | None:
    """The PC of that name, MAC (however written), UUID or address."""
    word = text.lower()
    try:
        mac = normal_mac(word)
    except ValueError:
        mac = ""
    for client in inventory.clients:
        if client.name.lower() == word or mac in client.macs:
            return client
        if word in (client.uuid, str(client.ip)):
            return client
    return None


def clients_in(inventory: Inventory, scope: Scope) -> tuple[Client, ...]:
    """The PCs that a scope holds, in the order of the file."""
    return tuple(c for c in inventory.clients if scope in scopes_around(inventory, c))


def scopes_around(inventory: Inventory, client: Client) -> tuple[Scope, ...]:
    """Every scope that holds the PC, from wide to narrow."""
    return tuple(Scope(kind, name) for kind, name, _ in inventory.scopes_of(client))
