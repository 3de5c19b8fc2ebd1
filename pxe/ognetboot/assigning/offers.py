# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC is offered at a moment, and when that may change by itself. Pure.

An exam comes before everything; then the narrower scope before the wider one, what was made later
before what was made earlier, and everything that is for a while before what is for good.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from ognetboot.assigning import able, times
from ognetboot.assigning.model import NO_STAMP, SETTLING, Assigned, Assignment
from ognetboot.inventory.entries import LOCAL_DISK, Entry, Kind
from ognetboot.inventory.model import Client, Inventory, System
from ognetboot.inventory.scopes import scopes_around

# DISK:PARTITION, both counted from 1.
PLACE = re.compile(r"([1-9][0-9]?):([1-9][0-9]{0,2})")
_LAST_PARTITION = 128
FOR_GOOD = "for good"


@dataclass(frozen=True, slots=True)
class Offered:
    """What a PC starts by itself now. `until`: when its time is over, where it has one. `locked`:
    nothing else is offered, by no key and no password. `stamp` belongs into the PC's script."""

    entry: Entry
    why: str
    until: datetime | None = None
    locked: bool = False
    stamp: str = NO_STAMP


def effective(
    inventory: Inventory, assigned: Assigned, client: Client | None, now: datetime
) -> Offered:
    """What the PC is offered at `now`; None: one that nobody knows, to whom nothing is given."""
    if client is None:
        return _for_good(inventory, None, now)
    for each in _candidates(inventory, assigned, client, now):
        entry = wanted(inventory, client, each.entry)
        reason = able.why_not(inventory, client, entry, now) if entry else None
        if entry is not None and reason is None:
            why, stamp = _why(each, client, now), each.stamp(client.name, now)
            return Offered(entry, why, each.end, each.exam, stamp)
        if each.exam:
            # Nothing is offered in an exam rather than what the exam forbids.
            reason = reason or f"has no {each.entry}"
            return Offered(
                inventory.entry(LOCAL_DISK), f"exam, but this PC {reason}", each.end, locked=True
            )
    return _for_good(inventory, client, now)


OfferedTo = Callable[[Client | None], Offered]


def for_good(inventory: Inventory) -> OfferedTo:
    """What the inventory says, whatever was assigned and whenever it is."""
    return lambda client: Offered(inventory.entry_of(client), FOR_GOOD)


def offers_at(inventory: Inventory, assigned: Assigned, now: datetime) -> OfferedTo:
    """What each PC is offered at that moment."""
    return lambda client: effective(inventory, assigned, client, now)


def _candidates(
    inventory: Inventory, assigned: Assigned, client: Client, now: datetime
) -> Iterator[Assignment]:
    if not assigned.all:
        return
    scopes = [str(scope) for scope in scopes_around(inventory, client)]
    found = [
        each
        for scope in reversed(scopes)
        for each in reversed(assigned.of(scope))
        if each.running(now) and each.left(client.name, now) != 0
    ]
    yield from (each for each in found if each.exam)
    yield from (each for each in found if not each.exam)


def _why(assignment: Assignment, client: Client, now: datetime) -> str:
    words = ["exam"] if assignment.exam else []
    left = assignment.left(client.name, now)
    if left is not None:
        words.append("this once" if left == 1 else f"{left} times")
    if assignment.end is not None:
        words.append(f"until {times.told_end(assignment.end)}")
    return f"{', '.join(words)} ({assignment.scope})"


def _for_good(inventory: Inventory, client: Client | None, now: datetime) -> Offered:
    entry = inventory.entry_of(client)
    if client is not None and (reason := able.why_not(inventory, client, entry, now)):
        return Offered(inventory.entry(LOCAL_DISK), f"not {entry.name}: this PC {reason}")
    return Offered(entry, FOR_GOOD)


# ---- which system an exam means -----------------------------------------------------------------


def wanted(inventory: Inventory, client: Client, words: str) -> Entry | None:
    """The entry of that name; or of a system by `DISK:PARTITION`, or by an image of the state that
    is declared for the PC. None: there is none on this PC."""
    if words in inventory.known_entries:
        return inventory.known_entries[words]
    if place := PLACE.fullmatch(words):
        disk, partition = map(int, place.groups())
        return _at(inventory, disk, partition) if partition <= _LAST_PARTITION else None
    state = inventory.state_of(client)
    for system in state.systems if state else ():
        if words in (system.image, system.image.partition("@")[0]):
            number = disk_number(inventory, client, system)
            return (
                None if number is None else _at(inventory, number, system.partition, system.title)
            )
    return None


def disk_number(inventory: Inventory, client: Client, system: System) -> int | None:
    """Which disk a loader must take, counted from 1; None: nobody can say it from here."""
    disk = inventory.disks_of(client).get(system.disk, system.disk)
    return int(disk) if disk.isascii() and disk.isdigit() and 1 <= int(disk) <= 99 else None


def _at(inventory: Inventory, disk: int, partition: int, title: str | None = None) -> Entry:
    """The site's own entry of that place; else a plain one, by the title of a declared system."""
    for entry in (*inventory.entries, *inventory.known_entries.values()):
        if entry.kind is Kind.SYSTEM and (entry.disk, entry.partition) == (disk, partition):
            own = title is None or entry in inventory.entries
            return entry if own else replace(entry, title=title)
    name = f"system-{disk}-{partition}"
    title = title or f"Disk {disk}, partition {partition}"
    return Entry(name, Kind.SYSTEM, title, disk=disk, partition=partition, in_menu=False)


# ---- when it changes ----------------------------------------------------------------------------


def next_change(
    assigned: Assigned, now: datetime, inventory: Inventory | None = None
) -> datetime | None:
    """The next moment at which somebody may be offered something else without anybody's doing.

    Whoever keeps the tree renders again then. With `inventory`, ends of protection count as well.
    """
    return min((when for when in _moments(assigned.all, inventory) if when > now), default=None)


def _moments(assignments: Iterable[Assignment], inventory: Inventory | None) -> Iterator[datetime]:
    for each in assignments:
        yield from (when for when in (each.start, each.end) if when is not None)
        yield from (use.last + SETTLING for use in each.used.values() if use.by_fetch)
    if inventory is None:
        return
    named = (inventory.centres, inventory.rooms, inventory.groups, inventory.clients)
    said = [inventory.server.choices, *(scope.choices for scopes in named for scope in scopes)]
    yield from (each.protected_until for each in said if each.protected_until is not None)
