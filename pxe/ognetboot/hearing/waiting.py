# SPDX-License-Identifier: GPL-3.0-or-later
"""PCs that asked to be taken into the inventory, until somebody decides.

The list is bounded twice: in all, and for each address that PCs ask from. Who finds no place is
refused; nobody who waits already is put out for him, or a flood would put out the honest ones. Who
has not asked for a month is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ognetboot.hearing import documents
from ognetboot.hearing.identity import Claim, identity_of

MOST = 1000
MOST_OF_ADDRESS = 64
_WORD = "waiting"
_FORGOTTEN = timedelta(days=30)
# A PC that waits asks again and again; that it still does is worth a write now and then only.
_RENEWED = timedelta(minutes=10)
_LAST_NUMBER = 9999
# Typed at the PC, and told by its firmware: field of the query → its limit in characters.
TYPED = {"name": 63, "room": 60}
HARDWARE = {
    "manufacturer": 64,
    "product": 64,
    "asset": 64,
    "cpu": 64,
    "memory": 16,
    "chip": 32,
    "platform": 16,
}


@dataclass(frozen=True, slots=True)
class Registration:
    """One PC that waits. `told`: what was typed and what its firmware says, by field."""

    number: int
    claim: Claim
    told: tuple[tuple[str, str], ...]
    address: str
    since: datetime
    last: datetime

    def word(self, name: str) -> str:
        """One of the fields; empty where it was not told."""
        return dict(self.told).get(name, "")


def asking(claim: Claim, words: Mapping[str, str], address: str, now: datetime) -> Registration:
    """Who asks now, from `address`; each field within its limit."""
    return Registration(0, claim, told_of(words), address, now, now)


@dataclass(frozen=True, slots=True)
class Waiting:
    """All of them by age, and the number that was given last."""

    registrations: tuple[Registration, ...] = ()
    last_number: int = 0


def told_of(words: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The fields that are kept, each within its limit."""
    limits = {**TYPED, **HARDWARE}
    return tuple(
        (name, words[name][:most].strip()) for name, most in limits.items() if words.get(name)
    )


def waiting_of(inventory: Path) -> Waiting:
    """Who waits for this inventory."""
    return documents.read(documents.beside(inventory, _WORD), _shape, Waiting)


def register(
    inventory: Path, new: Sequence[Registration], shared: frozenset[str]
) -> list[Registration | None]:
    """Take PCs into the list, or renew their places there; None: there is no place.

    Of `new` the number and the time of the first asking are given here. All are one write.
    """
    path = documents.beside(inventory, _WORD)
    with documents.locked(path):
        before = after = waiting_of(inventory)
        taken = []
        for one in new:
            after, mine = _with(after, one, shared)
            taken.append(mine)
        if after != before:
            _write(path, after)
    return taken


@contextmanager
def deciding(inventory: Path) -> Iterator[Callable[[frozenset[int]], None]]:
    """Alone with the list until the end; what it gives strikes numbers off. A list that
    cannot be had is refused here, before the inventory is written."""
    path = documents.beside(inventory, _WORD)

    def strike(numbers: frozenset[int]) -> None:
        before = waiting_of(inventory)
        left = tuple(one for one in before.registrations if one.number not in numbers)
        _write(path, replace(before, registrations=left))

    with documents.locked(path):
        yield strike


def _with(
    before: Waiting, new: Registration, shared: frozenset[str]
) -> tuple[Waiting, Registration | None]:
    """The list with one more or one renewed, pure."""
    kept = [one for one in before.registrations if new.last - one.last < _FORGOTTEN]
    identity = identity_of(new.claim, shared)
    if not identity:
        return before, None
    for place, one in enumerate(kept):
        if identity == identity_of(one.claim, shared):
            mine = replace(new, number=one.number, since=one.since)
            if replace(mine, last=one.last) == one and mine.last - one.last < _RENEWED:
                return before, one
            kept[place] = mine
            return replace(before, registrations=tuple(kept)), mine
    if len(kept) >= MOST or sum(o.address == new.address for o in kept) >= MOST_OF_ADDRESS:
        return before, None
    taken = {one.number for one in kept}
    number = before.last_number
    while (number := number % _LAST_NUMBER + 1) in taken:
        pass
    mine = replace(new, number=number)
    return Waiting((*kept, mine), number), mine


def _write(path: Path, waiting: Waiting) -> None:
    rows = [
        {
            **asdict(one),
            "told": dict(one.told),
            "since": one.since.isoformat(timespec="seconds"),
            "last": one.last.isoformat(timespec="seconds"),
        }
        for one in waiting.registrations
    ]
    documents.write(path, {"last_number": waiting.last_number, "waiting": rows})


def _shape(value: object) -> Waiting:
    if not isinstance(value, dict):
        raise TypeError
    return Waiting(tuple(map(_row, value["waiting"])), int(value["last_number"]))


def _row(one: dict[str, object]) -> Registration:
    claim, told = one["claim"], one["told"]
    if not isinstance(claim, dict) or not isinstance(told, dict):
        raise TypeError
    return Registration(
        number=int(str(one["number"])),
        claim=Claim(**{str(key): str(text) for key, text in claim.items()}),
        told=tuple((str(key), str(text)) for key, text in told.items()),
        address=str(one["address"]),
        since=_time(one["since"]),
        last=_time(one["last"]),
    )


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)
