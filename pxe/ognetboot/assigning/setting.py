# SPDX-License-Identifier: GPL-3.0-or-later
"""What `set` and `exam` would change, and what they refuse before anything is written. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from ognetboot.assigning import able, times
from ognetboot.assigning.coming import described
from ognetboot.assigning.model import MOST_BOOTS, Assigned, Assignment
from ognetboot.assigning.offers import FOR_GOOD, Offered, effective
from ognetboot.errors import NetbootError
from ognetboot.inventory.entries import Entry
from ognetboot.inventory.model import Centre, Client, Group, Inventory, Room, ScopeKind, Server
from ognetboot.inventory.scopes import Scope, clients_in

Named = TypeVar("Named", Centre, Room, Group, Client)
Saying = TypeVar("Saying", Server, Centre, Room, Group, Client)
# A refusal and a report name so many PCs and count the rest.
MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Whom:
    """A scope of the inventory with the PCs in it."""

    scope: Scope
    clients: tuple[Client, ...]

    def __str__(self) -> str:
        if self.scope.kind is ScopeKind.PC:
            return str(self.scope)
        count = len(self.clients)
        return f"{self.scope} ({count} PC{'' if count == 1 else 's'})"


def whom(inventory: Inventory, scope: Scope) -> Whom:
    """The scope with its PCs."""
    if scope.kind is ScopeKind.PC:
        return Whom(scope, tuple(c for c in inventory.clients if c.name == scope.name))
    return Whom(scope, clients_in(inventory, scope))


@dataclass(frozen=True, slots=True)
class Limits:
    """For how long. Nothing of it: for good."""

    boots: int | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def none(self) -> bool:
        """Whether it is for good."""
        return self == Limits()


def limits(
    now: datetime, *, once: bool, boots: int | None, start: str | None, end: str | None
) -> Limits:
    """From what a person wrote; a time without an end, or one that is past, is refused."""
    if boots is not None and not 1 <= boots <= MOST_BOOTS:
        raise NetbootError(f"{boots} times is not between 1 and {MOST_BOOTS}", hint="correct it")
    first = None if start is None else times.parse(start, now, end=False)
    last = None if end is None else times.parse(end, now, end=True)
    if first is not None and last is None:
        raise NetbootError(
            "a time to begin needs one to end", hint="add --until, or leave --from away"
        )
    if last is not None and last <= now:
        raise NetbootError(f"{times.told(last)} is past", hint="choose a later time for --until")
    if first is not None and last is not None and last <= first:
        raise NetbootError(
            f"{times.told(last)} is not after {times.told(first)}", hint="correct --from or --until"
        )
    return Limits(1 if once else boots, first, last)


def named(clients: Iterable[str], *, most: int = MOST_NAMED) -> str:
    """`pc1, pc2 and 38 more`."""
    names = list(clients)
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def refuse_unable(
    inventory: Inventory, to: Whom, entry: Entry, when: datetime, *, counted: bool = False
) -> None:
    """Raise where a PC of the scope must not or cannot start the entry; or, where it is `counted`,
    cannot report that it did."""
    reasons: dict[str, list[str]] = {}
    for client in to.clients:
        reason = able.why_not(inventory, client, entry, when)
        if reason is None and counted:
            reason = able.why_not_counted(inventory, client, entry)
        if reason is not None:
            reasons.setdefault(reason, []).append(client.name)
    if reasons:
        said = "; ".join(f"{named(pcs)} {reason}" for reason, pcs in reasons.items())
        raise NetbootError(
            f"`{entry.name}` is not set for {to}: {said}",
            hint="set it for the others, or another entry for these"
            + (", or until a time" if counted else ""),
        )


def with_assignment(assigned: Assigned, new: Assignment, now: datetime) -> Assigned:
    """With one more, without what is over and what it takes the place of; or the same as before.

    An exam takes the place of another of its scope in its time; "this once" that of another "so
    many times" of its scope; a time that of what its scope was given within it. The same again
    changes nothing, unless a PC has used it meanwhile.
    """
    kept = assigned.without(each for each in assigned.all if each.over(now))
    same_scope = [each for each in kept.of(new.scope) if each.exam == new.exam]
    gone = [each for each in same_scope if _replaces(new, each)]
    latest = max(same_scope, key=kept.all.index, default=None)
    if latest is not None and gone in ([], [latest]) and _says_the_same(new, latest):
        return kept if len(kept.all) < len(assigned.all) else assigned
    return kept.without(gone).plus(new)


def _replaces(new: Assignment, old: Assignment) -> bool:
    if new.exam:
        return new.overlaps(old)
    if new.boots is not None:
        return old.boots is not None and new.overlaps(old)
    return new.covers(old)


def _says_the_same(new: Assignment, old: Assignment) -> bool:
    return not old.used and replace(new, number=old.number, by=old.by, made=old.made) == old


def pcs_inherit(inventory: Inventory, to: Whom) -> Inventory:
    """The inventory as it is when no PC of the scope says an entry of its own."""
    names = {client.name for client in to.clients}
    clients = tuple(_saying(c, None) if c.name in names else c for c in inventory.clients)
    return replace(inventory, clients=clients)


def with_entry(inventory: Inventory, to: Whom, entry: str | None) -> Inventory:
    """The inventory as it is when the scope says that entry for good; None: says none itself."""
    match to.scope.kind:
        case ScopeKind.ALL:
            return replace(inventory, server=_saying(inventory.server, entry))
        case ScopeKind.CENTRE:
            return replace(inventory, centres=_with(inventory.centres, to.scope.name, entry))
        case ScopeKind.ROOM:
            return replace(inventory, rooms=_with(inventory.rooms, to.scope.name, entry))
        case ScopeKind.GROUP:
            return replace(inventory, groups=_with(inventory.groups, to.scope.name, entry))
        case ScopeKind.PC:
            return replace(inventory, clients=_with(inventory.clients, to.scope.name, entry))


def _with(scopes: tuple[Named, ...], name: str, entry: str | None) -> tuple[Named, ...]:
    return tuple(_saying(each, entry) if each.name == name else each for each in scopes)


def _saying(scope: Saying, entry: str | None) -> Saying:
    return replace(scope, choices=replace(scope.choices, entry=entry))


# ---- what is told -------------------------------------------------------------------------------


def offers(
    inventory: Inventory, assigned: Assigned, clients: Iterable[Client], when: datetime
) -> dict[str, Offered]:
    """What each PC is offered at that moment, by its name."""
    return {each.name: effective(inventory, assigned, each, when) for each in clients}


def counted(found: Mapping[str, Offered]) -> str:
    """`localdisk on 38, oglive on 2`, the most frequent first."""
    if len(found) == 1:
        return "".join(each.entry.name for each in found.values())
    counts = Counter(each.entry.name for each in found.values()).most_common()
    return ", ".join(f"{name} on {count}" for name, count in counts)


def reasons(found: Mapping[str, Offered]) -> dict[tuple[str, str], list[str]]:
    """Entry and reason of what PCs are offered, each with the names of those PCs."""
    groups: dict[tuple[str, str], list[str]] = {}
    for pc, offered in found.items():
        groups.setdefault((offered.entry.name, offered.why), []).append(pc)
    return groups


def others(found: Mapping[str, Offered], entry: str) -> Iterator[str]:
    """A sentence for each reason by which PCs start something else all the same."""
    for (name, why), pcs in reasons(found).items():
        if name != entry:
            yield f"{named(pcs)} {'starts' if len(pcs) == 1 else 'start'} {name}, {why}"


def for_a_while(found: Mapping[str, Offered]) -> Iterator[str]:
    """A sentence for each reason by which PCs start anything else than what is said for good."""
    for (name, why), pcs in reasons(found).items():
        if why != FOR_GOOD:
            yield f"{named(pcs)} {'starts' if len(pcs) == 1 else 'start'} {name}, {why}"


def said(limits: Limits) -> str:
    """`this once until Fri 27 Nov 2026 18:00 CET`, `for good`."""
    words = []
    if limits.boots is not None:
        words.append("this once" if limits.boots == 1 else f"{limits.boots} times")
    if limits.start is not None:
        words.append(f"from {times.told(limits.start)}")
    if limits.end is not None:
        words.append(f"until {times.told_end(limits.end)}")
    return " ".join(words) or "for good"


def still_given(to: Whom, assigned: Assigned) -> Iterator[str]:
    """A sentence for each thing that PCs of the scope are given by another scope's word."""
    names = {client.name for client in to.clients}
    for each in assigned.all:
        kind, _, name = each.scope.partition(":")
        inside = each.scope == str(to.scope) or (kind == ScopeKind.PC and name in names)
        if inside:
            what = "its exam" if each.exam else "what is given"
            yield f"{each.scope} keeps {what}: {each.entry}, {described(each)}"


def entry_named(inventory: Inventory, name: str) -> Entry:
    """The entry of that name, or a refusal that names one like it."""
    known = inventory.known_entries
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known entries: {', '.join(known)}"
    raise NetbootError(f"there is no entry `{name:.80}`", hint=hint)
