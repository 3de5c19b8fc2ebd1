# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given and has not begun yet, and how one assignment is told to a person. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from ognetboot.assigning import times
from ognetboot.assigning.model import Assigned, Assignment
from ognetboot.inventory.model import Client, Inventory
from ognetboot.inventory.scopes import scopes_around

# A report tells so many and counts the rest.
MOST_TOLD = 20


def coming(
    inventory: Inventory, assigned: Assigned, clients: Iterable[Client], now: datetime
) -> list[Assignment]:
    """What one of these PCs is given later, the next first."""
    later = [each for each in assigned.all if not each.begun(now)]
    if not later:
        return []
    scopes = {str(scope) for client in clients for scope in scopes_around(inventory, client)}
    found = [each for each in later if each.scope in scopes]
    return sorted(found, key=lambda each: each.start or now)


def as_rows(found: list[Assignment]) -> Iterator[tuple[str, str, str]]:
    """`later`, what is started, and how; a line for what is not told any more."""
    for each in found[:MOST_TOLD]:
        yield "later", each.entry, f"{described(each)} ({each.scope})"
    if len(found) > MOST_TOLD:
        yield "later", f"and {len(found) - MOST_TOLD} more", ""


def as_json(found: list[Assignment]) -> list[dict[str, object]]:
    """All of them as JSON has it."""
    return [
        {
            "entry": each.entry,
            "scope": each.scope,
            "exam": each.exam,
            "boots": each.boots,
            "from": each.start and times.to_text(each.start),
            "until": each.end and times.to_text(each.end),
        }
        for each in found
    ]


def described(one: Assignment) -> str:
    """`exam, Tue 1 Dec 2026 08:00-11:00 CET`, `this once`."""
    words = ["exam"] if one.exam else []
    if one.boots is not None:
        words.append("this once" if one.boots == 1 else f"{one.boots} times")
    if span := times.told_span(one.start, one.end):
        words.append(span)
    return ", ".join(words)


def pending(one: Assignment, clients: Collection[Client], now: datetime) -> bool:
    """Whether one of these PCs is still to get it."""
    return not one.over(now) and any(one.left(each.name, now) != 0 for each in clients)


def kept(
    before: Assigned, after: Assigned, scope: str, clients: Collection[Client], now: datetime
) -> Iterator[str]:
    """A line for each that the scope was given before, and is given beside what is new."""
    left = {each.number for each in after.all}
    for each in before.of(scope):
        if each.number in left and pending(each, clients, now):
            yield f"still given, beside this: {each.entry}, {described(each)}"


def withdrawn(
    before: Assigned, after: Assigned, clients: Collection[Client], now: datetime
) -> Iterator[str]:
    """A line for each that was still to be had, and is there no more."""
    left = {each.number for each in after.all}
    for each in before.all:
        if each.number not in left and pending(each, clients, now):
            yield f"withdrawn: {each.entry}, {described(each)}"
