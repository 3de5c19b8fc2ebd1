# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that shall be, of the one that is: pure, each change of the firmware's entries once.

Whether what an entry starts is there is asked of a ``PresenceProbe``; what nobody could look at
counts as there, and what started this PC is never taken for dead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from oglib.boot.nvram.load_option import Kind, LoadOption, Target, with_active, without_attributes
from oglib.boot.nvram.table import BootTable, Entry, in_words, name_of
from oglib.errors import NotFoundError, OgErr, OgError, UsageError

_MOST_NUMBER = 0xFFFF
_DIGITS = "0123456789abcdefABCDEF"


class Presence(StrEnum):
    """Whether what an entry starts is there."""

    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "unknown"


PresenceProbe = Callable[[Target], Presence]


class OrderPosition(StrEnum):
    """Where a new entry comes in the order."""

    FIRST = "first"
    LAST = "last"
    OUT = "out"


def number_of(word: str) -> int:
    """The number of an entry: hexadecimal, as firmware tools write it. FORMAT for anything else."""
    bare = word.removeprefix("Boot")
    if not 1 <= len(bare) <= 4 or any(one not in _DIGITS for one in bare):
        raise UsageError(f"{word!r} is no number of a boot entry.", hint="Write it as 0003.")
    return int(bare, 16)


def named(table: BootTable, word: str) -> tuple[Entry, ...]:
    """The entries that a person means: by number, or all of a label. NOTFOUND where none is."""
    found: list[Entry] = []
    if word and len(word) <= 4 and all(one in _DIGITS for one in word):
        found = [one for one in table.entries if one.number == int(word, 16)]
    found = found or [one for one in table.entries if one.label == word]
    if not found:
        raise _no_entry(table, word)
    return tuple(found)


def _no_entry(table: BootTable, word: str) -> NotFoundError:
    there = ", ".join(f"{one.name} {one.label}" for one in table.entries)
    return NotFoundError(
        f"The firmware has no boot entry {word!r}.", hint=f"There are: {there or 'none'}."
    )


def added(
    table: BootTable, option: LoadOption, position: OrderPosition = OrderPosition.FIRST
) -> BootTable:
    """With one more entry, under the first number that nothing names."""
    taken = {one.number for one in table.entries} | set(table.order)
    number = next((one for one in range(_MOST_NUMBER + 1) if one not in taken), None)
    if number is None:
        raise OgError(
            "The firmware has no number left for a boot entry.",
            hint="Remove some: `og boot clean`.",
            code=OgErr.NOTWRITE,
        )
    entries = (*table.entries, Entry(number, option))
    order = {
        OrderPosition.FIRST: (number, *table.order),
        OrderPosition.LAST: (*table.order, number),
        OrderPosition.OUT: table.order,
    }[position]
    return replace(table, entries=tuple(sorted(entries, key=_by_number)), order=order)


def only(table: BootTable, option: LoadOption, position: OrderPosition) -> BootTable:
    """With this entry as the only one of its label; one that is the same stays, in its place."""
    same = next((one.number for one in table.entries if one.option == option), None)
    gone = {one.number for one in table.entries if one.label == option.label} - {same}
    left = without(table, gone)
    if same is None:
        return added(left, option, position)
    rest = [one for one in left.order if one != same and left.entry(one) is not None]
    order = {
        OrderPosition.FIRST: [same, *rest],
        OrderPosition.LAST: [*rest, same],
        OrderPosition.OUT: rest,
    }[position]
    return ordered(left, order)


def without(table: BootTable, numbers: Collection[int]) -> BootTable:
    """Without these entries, in the order and as the next as well."""
    return replace(
        table,
        entries=tuple(one for one in table.entries if one.number not in numbers),
        order=tuple(one for one in table.order if one not in numbers),
        next=None if table.next in numbers else table.next,
    )


def activated(table: BootTable, numbers: Collection[int], *, active: bool) -> BootTable:
    """With these entries tried by the firmware, or not."""
    entries = tuple(
        replace(one, option=with_active(one.option, active=active))
        if one.number in numbers and one.option.active is not active
        else one
        for one in table.entries
    )
    return replace(table, entries=entries)


def ordered(table: BootTable, numbers: Sequence[int]) -> BootTable:
    """In exactly this order; NOTFOUND for a number that no entry has, FORMAT for one twice."""
    for number in numbers:
        if table.entry(number) is None:
            raise _no_entry(table, f"{number:04X}")
    if len(set(numbers)) != len(numbers):
        raise UsageError("An entry is named twice in the order.")
    return replace(table, order=tuple(numbers))


def brought_forward(table: BootTable, numbers: Sequence[int]) -> BootTable:
    """These first, all others behind them in the order that they have."""
    rest = [one for one in table.order if one not in numbers]
    there = [one for one in rest if table.entry(one) is not None]
    return ordered(table, (*numbers, *there))


def second(table: BootTable, option: LoadOption) -> BootTable:
    """With this entry as the only one of its label, in the second place.

    The first is the network's on sites' PCs, and stays.
    """
    new = only(table, option, OrderPosition.OUT)
    number = next(one.number for one in new.entries if one.option == option)
    rest = [one for one in new.order if new.entry(one) is not None]
    return ordered(new, [*rest[:1], number, *rest[1:]])


def with_next(table: BootTable, number: int) -> BootTable:
    """This one at the next start alone."""
    return replace(table, next=number)


def with_timeout(table: BootTable, seconds: int) -> BootTable:
    """The firmware's menu waits this long; OUTOFLIMIT beyond what it can store."""
    if not 0 <= seconds <= _MOST_NUMBER:
        raise OgError(
            f"{seconds} s are not 0 to {_MOST_NUMBER}, which a firmware can wait.",
            code=OgErr.OUTOFLIMIT,
        )
    return replace(table, timeout=seconds)


def network_entry(table: BootTable) -> Entry | None:
    """The entry that PXE would use: the first active IPv4 one, in the order if it is there.

    A firmware may name a card without the protocol; one that does, goes before.
    """
    known = [*table.tried, *(one for one in table.entries if one.number not in table.order)]
    cards = [one for one in known if one.option.target.kind is Kind.NETWORK and one.option.active]
    for protocol in ("IPv4", ""):
        for one in cards:
            if one.option.target.protocol == protocol:
                return one
    return None


def network_first(table: BootTable) -> BootTable:
    """With the network's entry first; as it is where the firmware has none."""
    found = network_entry(table)
    return table if found is None else brought_forward(table, [found.number])


def dead(table: BootTable, probe: PresenceProbe) -> tuple[Entry, ...]:
    """Entries whose partition or file was looked for and is not there."""
    return tuple(one for one in table.entries if is_dead(one, table, probe))


def is_dead(entry: Entry, table: BootTable, probe: PresenceProbe) -> bool:
    """Whether one is; what started this PC is not, whatever was seen."""
    return (
        entry.option.target.kind is Kind.FILE
        and entry.number != table.current
        and probe(entry.option.target) is Presence.MISSING
    )


def doubled(table: BootTable) -> tuple[Entry, ...]:
    """Entries that are the same as another one, which the firmware tries before."""
    known = [*table.tried, *(one for one in table.entries if one.number not in table.order)]
    seen: dict[bytes, Entry] = {}
    found = []
    for one in known:
        content = without_attributes(one.option)
        if content in seen and one.number != table.current:
            found.append(one)
        seen.setdefault(content, one)
    return tuple(found)


def cleaned(table: BootTable, probe: PresenceProbe) -> BootTable:
    """Without dead and doubled entries, and without numbers in the order that no entry has."""
    gone = {one.number for one in (*dead(table, probe), *doubled(table))}
    left = without(table, gone)
    order = tuple(dict.fromkeys(one for one in left.order if left.entry(one) is not None))
    next_one = left.next if left.next is None or left.entry(left.next) else None
    return replace(left, order=order, next=next_one)


def changes(old: BootTable, new: BootTable) -> tuple[str, ...]:
    """What becomes of one table in the other, a sentence each."""
    return tuple(_changes(old, new))


def _changes(old: BootTable, new: BootTable) -> Iterator[str]:
    for one in old.entries:
        if new.entry(one.number) is None:
            yield f"remove {one.describe()}, {one.option.target.describe()}"
    for one in new.entries:
        was = old.entry(one.number)
        if was is None:
            yield f"add {one.describe()}, {one.option.target.describe()}"
        elif was.option.active is not one.option.active:
            yield f"{'activate' if one.option.active else 'deactivate'} {one.describe()}"
    if old.order != new.order:
        yield f"order {in_words(new.order)}, was {in_words(old.order)}"
    if old.next != new.next:
        yield "nothing else next" if new.next is None else f"next {name_of(new.next)}"
    if old.timeout != new.timeout:
        yield f"timeout {new.timeout} s"


def _by_number(entry: Entry) -> int:
    return entry.number
