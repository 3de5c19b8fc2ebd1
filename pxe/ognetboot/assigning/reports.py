# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given "this once" is used up when the PC says that it got there.

The stamp in its script says which assignment the script is of, and how often it was left then: the
same report twice, or one by a script that was written before, uses up nothing. Where no server
hears PCs, the fetch of a PC's file counts, `SETTLING` later.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ognetboot.assigning.model import Assigned, Use
from ognetboot.assigning.store import Store

# Letters and digits alone: ogLive and loaders hand it on in an address.
STAMP = re.compile(r"0|([0-9a-f]{12})x([0-9]{1,4})")
_BY = "server"


class Heard(StrEnum):
    """What a report was worth. After `USED` and `ALREADY` the PC's files are to be written again:
    after `ALREADY` because the first time may have ended before that."""

    USED = "used"
    ALREADY = "already"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Report:
    """The PC of that name reached `entry`, or fetched its file where that is None; its script had
    `stamp`. Every text may be anybody's."""

    pc: str
    entry: str | None
    stamp: str


def fetched(store: Store, pc: str, stamp: str, now: datetime) -> Heard:
    """The PC's file, which held `stamp`, was fetched, and nobody hears what became of it."""
    return report_all(store, [Report(pc, None, stamp)], now)[0]


def report_all(store: Store, reports: Sequence[Report], now: datetime) -> list[Heard]:
    """What each is worth, after those before it; all of them are one write."""
    # Most reports are of PCs to whom nothing is given: they take no lock and write nothing.
    assigned = store.read()
    heard = [_heard(assigned, each, now)[1] for each in reports]
    if Heard.USED not in heard:
        return heard
    heard = []
    with store.changing(_BY, now) as change:
        for each in reports:
            change.assigned, worth = _heard(change.assigned, each, now)
            if worth is Heard.USED:
                what = "fetched" if each.entry is None else "reached"
                change.notes.append(f"{what} pc:{each.pc} {each.stamp}")
            heard.append(worth)
    return heard


def _heard(assigned: Assigned, report: Report, now: datetime) -> tuple[Assigned, Heard]:
    by_fetch = report.entry is None
    return used(assigned, report.pc, report.entry, report.stamp, now, by_fetch=by_fetch)


def used(
    assigned: Assigned, pc: str, entry: str | None, stamp: str, now: datetime, *, by_fetch: bool
) -> tuple[Assigned, Heard]:
    """The assignments after that, and what it was worth. Pure."""
    found = STAMP.fullmatch(stamp)
    one = next((each for each in assigned.all if found and each.number == found[1]), None)
    if found is None or one is None or one.boots is None or entry not in (None, one.entry):
        return assigned, Heard.NOTHING
    before = one.used.get(pc)
    if before is not None and before.by_fetch and before.settled(now) < before.count:
        # It was fetched just now: a second fetch is the same one, a report makes it sure.
        if by_fetch:
            return assigned, Heard.ALREADY
        return assigned.changed(one.with_use(pc, Use(before.count, now))), Heard.USED
    if int(found[2]) != one.left(pc, now) or one.left(pc, now) == 0:
        return assigned, Heard.ALREADY
    use = Use((before.count if before else 0) + 1, now, by_fetch)
    return assigned.changed(one.with_use(pc, use)), Heard.USED
