# SPDX-License-Identifier: GPL-3.0-or-later
"""Assignments as data: what is given to whom, from when, how often, and how much of it is used.

Frozen, times in UTC. An assignment that is given so many times counts for each PC by itself: a room
that starts an installation "this once" starts it once on every PC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

# A loader that only asks for its file may ask twice: where nothing but that is seen, what was given
# stays for so long after the first time.
SETTLING = timedelta(seconds=60)
# Stands in the script of a PC whose entry is used up by nothing.
NO_STAMP = "0"
# How many assignments and how many times of one a store takes; far beyond any site.
MOST_ASSIGNED = 20_000
MOST_BOOTS = 1000


@dataclass(frozen=True, slots=True)
class Use:
    """How often one PC has used an assignment, and when last.

    `by_fetch`: nobody heard the PC, its file was fetched; it counts `SETTLING` later.
    """

    count: int
    last: datetime
    by_fetch: bool = False

    def settled(self, now: datetime) -> int:
        """How many of them count at `now`."""
        return self.count - (self.by_fetch and now < self.last + SETTLING)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One entry for one scope (`room:aula1`), for a while.

    `entry` names an entry of the inventory; an exam may name `DISK:PARTITION` or an image instead.
    `boots` is how many times each PC gets it, None for any number; `start` and `end` bound it where
    they are given, and `end` itself is outside. `used` goes by the PC's name.
    """

    number: str
    scope: str
    entry: str
    by: str
    made: datetime
    start: datetime | None = None
    end: datetime | None = None
    boots: int | None = None
    exam: bool = False
    used: Mapping[str, Use] = field(default_factory=dict)

    def running(self, now: datetime) -> bool:
        """Whether `now` is in its time."""
        return self.begun(now) and not self.over(now)

    def begun(self, now: datetime) -> bool:
        """Whether its time has begun, be it over or not."""
        return self.start is None or self.start <= now

    def over(self, now: datetime) -> bool:
        """Whether its time is past."""
        return self.end is not None and self.end <= now

    def overlaps(self, other: Assignment) -> bool:
        """Whether there is a moment in the time of both."""
        first = other.end is None or self.start is None or self.start < other.end
        second = self.end is None or other.start is None or other.start < self.end
        return first and second

    def covers(self, other: Assignment) -> bool:
        """Whether all the time of the other is in the time of this."""
        begins = self.start is None or (other.start is not None and self.start <= other.start)
        ends = self.end is None or (other.end is not None and other.end <= self.end)
        return begins and ends

    def left(self, pc: str, now: datetime) -> int | None:
        """How many times the PC gets it still; None when nothing counts."""
        if self.boots is None:
            return None
        use = self.used.get(pc)
        return max(0, self.boots - (use.settled(now) if use else 0))

    def stamp(self, pc: str, now: datetime) -> str:
        """What a PC's script carries: another one after each use, so old scripts are known."""
        left = self.left(pc, now)
        return NO_STAMP if left is None else f"{self.number}x{left}"

    def with_use(self, pc: str, use: Use) -> Assignment:
        """The same after a use."""
        return replace(self, used={**self.used, pc: use})


class Assigned:
    """All assignments of an inventory, found by their scope; equal when they say the same."""

    def __init__(self, assignments: Iterable[Assignment] = ()) -> None:
        self.all = tuple(assignments)
        self._by_scope: dict[str, list[Assignment]] = {}
        for each in self.all:
            self._by_scope.setdefault(each.scope, []).append(each)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Assigned) and self.all == other.all

    __hash__ = None  # type: ignore[assignment]

    def of(self, scope: str) -> tuple[Assignment, ...]:
        """Those of exactly this scope, the oldest first."""
        return tuple(self._by_scope.get(scope, ()))

    def without(self, gone: Iterable[Assignment]) -> Assigned:
        """The others."""
        numbers = {each.number for each in gone}
        return Assigned(each for each in self.all if each.number not in numbers)

    def plus(self, one: Assignment) -> Assigned:
        """These and one more, made later than all of them."""
        return Assigned((*self.all, one))

    def changed(self, one: Assignment) -> Assigned:
        """The same, one of them replaced by what it has become."""
        return Assigned(one if each.number == one.number else each for each in self.all)
