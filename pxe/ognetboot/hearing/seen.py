# SPDX-License-Identifier: GPL-3.0-or-later
"""When each PC was last seen, and with what: told by the PCs, kept for `list` and `exam`.

Only PCs of the inventory are kept, so what anybody sends cannot make it grow. It is written now and
then: a report costs no disk access, and the last minute of them may be lost with the power.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from ognetboot.assigning.times import bounded
from ognetboot.errors import NetbootError
from ognetboot.hearing import documents

_WORD = "seen"
# As many as a person tells apart in a menu.
_MOST_SYSTEMS = 24
_PLACE = re.compile(r"d([1-9][0-9]?)p([1-9][0-9]{0,2})")


@dataclass(frozen=True, slots=True)
class Seen:
    """`at`: when, in UTC; `entry`: what it got to; `oglive`: the version that told it, or empty.

    `systems`: what is on each `DISK:PARTITION`, `IMAGE@VERSION` or the name of a system, empty
    where that cannot be seen, when the PC `looked` last, which a loader does not; None: it never
    did, or has begun a job since that may have changed it.
    """

    at: datetime
    entry: str
    ip: str
    oglive: str
    systems: Mapping[str, str] | None = None
    looked: datetime | None = None


def systems_of(words: Mapping[str, str]) -> dict[str, str] | None:
    """What a report says of the disks: `disks=1`, and `d1p2=windows@7` for each system; nothing
    behind the `=` where it cannot be seen."""
    if words.get("disks") != "1":
        return None
    places = ((_PLACE.fullmatch(name), text) for name, text in words.items())
    found = [(f"{place[1]}:{place[2]}", text) for place, text in places if place]
    return dict(found[:_MOST_SYSTEMS])


def is_changing(words: Mapping[str, str]) -> bool:
    """`disks=0`: the PC begins what may put other systems on its disks."""
    return words.get("disks") == "0"


def seen_of(inventory: Path) -> dict[str, Seen]:
    """The last report of each PC by its name in the inventory."""
    return documents.read(documents.beside(inventory, _WORD), _shape, dict)


class Reports:
    """The reports of a running server."""

    def __init__(self, inventory: Path, tell: Callable[[str], None]) -> None:
        self._path = documents.beside(inventory, _WORD)
        try:
            self._seen = seen_of(inventory)
        except NetbootError as error:
            # Nobody's work is in it: it is told and begun anew.
            tell(f"{error.message}; it is begun anew")
            self._seen = {}
        self._changed = False

    def add(self, name: str, seen: Seen, *, changing: bool = False) -> None:
        """The PC `name` of the inventory reported; what it saw on its disks before stays known,
        unless it is `changing` them."""
        before = self._seen.get(name)
        if seen.systems is not None:
            seen = replace(seen, looked=seen.at)
        elif before is not None and not changing:
            seen = replace(seen, systems=before.systems, looked=before.looked)
        self._seen[name] = seen
        self._changed = True

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget who left the inventory."""
        known = set(names)
        gone = self._seen.keys() - known
        for name in gone:
            del self._seen[name]
        self._changed = self._changed or bool(gone)

    def write(self) -> None:
        """Write what changed since the last time."""
        if self._changed:
            self._changed = False
            documents.write(self._path, _rows(self._seen), durable=False)


def _rows(seen: Mapping[str, Seen]) -> dict[str, object]:
    """What is written; where all of it could not be read again, who was seen last is told whole."""
    rows = {name: _row(one) for name, one in seen.items()}
    left = documents.MOST_BYTES - len(documents.encoded(rows))
    for name in sorted(seen, key=lambda name: seen[name].at):
        if left >= 0:
            break
        short = _row(replace(seen[name], systems=None, looked=None))
        left += len(documents.encoded(rows[name])) - len(documents.encoded(short))
        rows[name] = short
    return dict(sorted(rows.items()))


def _row(seen: Seen) -> dict[str, object]:
    looked = seen.looked and seen.looked.isoformat()
    return {**asdict(seen), "at": seen.at.isoformat(), "looked": looked}


def _shape(value: object) -> dict[str, Seen]:
    if not isinstance(value, dict):
        raise TypeError
    return {
        str(name): Seen(
            at=_time(one["at"]),
            entry=str(one["entry"]),
            ip=str(one["ip"]),
            oglive=str(one["oglive"]),
            systems=_systems(one.get("systems")),
            looked=_time(one["looked"]) if one.get("looked") else None,
        )
        for name, one in value.items()
    }


def _time(text: str) -> datetime:
    return bounded(datetime.fromisoformat(text))


def _systems(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError
    return {str(place): str(system) for place, system in value.items()}
