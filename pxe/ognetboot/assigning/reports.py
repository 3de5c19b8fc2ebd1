# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given "this once" is used up when the PC says that it got there.

The stamp in its script says which assignment the script is of, and how often it was left then: the
same report twice, or one by a script that was written before, uses up nothing. Where no server
hears PCs, the fetch of a PC's file counts, `SETTLING` later.
"""

from __future__ import annotations

import re
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


def report_reached(store: Store, pc: str, entry: str, stamp: str, now: datetime) -> Heard:
    """The PC of that name says that it reached `entry`; every text may be anybody's."""
    return _kept(store, pc, entry, stamp, now, by_fetch=False)


def fetched(store: Store, pc: str, stamp: str, now: datetime) -> Heard:
    """The PC's file, which held `stamp`, was fetched, and nobody hears what became of it."""
    return _kept(store, pc, None, stamp, now, by_fetch=True)


def _kept(
    store: Store, pc: str, entry: str | None, stamp: str, now: datetime, *, by_fetch: bool
) -> Heard:
    # Most reports are of PCs to whom nothing is given: they take no lock and write nothing.
    _, heard = used(store.read(), pc, entry, stamp, now, by_fetch=by_fetch)
    if heard is not Heard.USED:
        return heard
    with store.changing(_BY, now) as change:
        change.assigned, heard = used(change.assigned, pc, entry, stamp, now, by_fetch=by_fetch)
        if heard is Heard.USED:
            change.notes.append(f"{'fetched' if by_fetch else 'reached'} pc:{pc} {stamp}")
        return heard


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
