# SPDX-License-Identifier: GPL-3.0-or-later
"""What PCs are heard of, and what it uses up: reports of their own, or fetches in a log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ognetboot.assigning import reports
from ognetboot.assigning.able import why_not
from ognetboot.assigning.offers import effective
from ognetboot.assigning.reports import Heard, Report
from ognetboot.assigning.store import Store
from ognetboot.errors import NetbootError
from ognetboot.hearing.following import Log, fetched
from ognetboot.hearing.identity import Claim
from ognetboot.hearing.known import Known
from ognetboot.inventory.entries import Entry
from ognetboot.inventory.model import Client

LOG = logging.getLogger("ognetboot")

_LOOK_S = 1.0


class Uses:
    """The assignments of one inventory, as far as PCs have a say in them."""

    def __init__(self, file: Path, known: Known) -> None:
        self._store = Store(file)
        self._known = known

    def use(self, known: Known) -> None:
        """From now on this is the inventory."""
        self._known = known

    def reached(self, them: Sequence[Report]) -> list[bool]:
        """PCs say that they got there; True: that used up something."""
        heard = reports.report_all(self._store, them, datetime.now(UTC))
        return [each is Heard.USED for each in heard]

    def fetched(self, claim: Claim) -> bool:
        """The PC's own file was given out; True: that used up something."""
        client = self._known.find(claim)
        if client is None:
            return False
        now = datetime.now(UTC)
        offered = effective(self._known.inventory, self._store.read(), client, now)
        return reports.fetched(self._store, client.name, offered.stamp, now) is Heard.USED

    def forbids(self, entry: Entry, client: Client | None) -> str:
        """Why no password opens this for the PC now; empty: it may."""
        now = datetime.now(UTC)
        inventory = self._known.inventory
        if client is None:
            # A PC of an exam says who it is itself, and could as well say that it is another.
            exam = any(each.exam and each.running(now) for each in self._store.read().all)
            return "there is an exam, and nobody knows this PC" if exam else ""
        if effective(inventory, self._store.read(), client, now).locked:
            return "this PC is in an exam"
        return why_not(inventory, client, entry, now) or ""


async def follow(log: Log, uses: Uses, changed: Callable[[], None]) -> None:
    """Read the log once a second until this task is cancelled."""
    trouble = ""
    while True:
        try:
            used = await asyncio.to_thread(_read, log, uses)
        except NetbootError as error:
            if error.message != trouble:
                LOG.warning("%s. %s.", error.message, error.hint)
            trouble = error.message
        else:
            trouble = ""
            if used:
                changed()
        await asyncio.sleep(_LOOK_S)


def _read(log: Log, uses: Uses) -> bool:
    used = False
    for line in log.lines():
        claim = fetched(line)
        if claim is not None:
            used |= uses.fetched(claim)
    return used
