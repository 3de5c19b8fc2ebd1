# SPDX-License-Identifier: GPL-3.0-or-later
"""What `/netboot/do/` answers: a PC reports, an unknown one registers itself, a locked entry opens.

Whoever reaches the server can claim to be any PC here: all that is gained by it is that PC's place
in a list, or its report; what an entry does to a disk is decided by the inventory, and what opens a
locked one by a password.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ognetboot.assigning.reports import Report
from ognetboot.errors import NetbootError
from ognetboot.hearing import answers, identity, passwords, waiting
from ognetboot.hearing.answers import Answers
from ognetboot.hearing.known import Known
from ognetboot.hearing.rates import Rate, Rates
from ognetboot.hearing.seen import Reports, Seen, is_changing, systems_of
from ognetboot.hearing.together import Together
from ognetboot.hearing.uses import Uses
from ognetboot.hearing.waiting import Registration
from ognetboot.inventory import checks
from ognetboot.inventory.model import Client, Inventory
from ognetboot.inventory.scopes import ALL, scopes_around

LOG = logging.getLogger("ognetboot")

_STAMP_LIMIT = 64
_VERSION_LIMIT = 64
# A room that starts at once reports and registers; one PC has no reason for more.
_OF_ADDRESS, _OF_ALL = Rate(30, 1), Rate(2000, 200)
# Guesses: a person who types, and no more of them in all than the processor bears.
_OF_PC, _OF_PCS = Rate(5, 1 / 20), Rate(40, 1)
_AT_ONCE = 2  # scrypt: 16 MiB and a processor each


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and text; what is said is an iPXE script, or nothing."""

    status: int
    text: str = ""


class Forms:
    """The three forms of one inventory; `use` takes a newer reading of it."""

    def __init__(
        self,
        file: Path,
        known: Known,
        reports: Reports,
        uses: Uses,
        changed: Callable[[], None],
    ) -> None:
        self._file = file
        self._known = known
        self._answers = Answers(known.inventory)
        self._reports = reports
        self._uses = uses
        self._changed = changed
        self._rates = Rates(_OF_ADDRESS, _OF_ALL)
        self._guesses = Rates(_OF_PC, _OF_PCS)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._reports_of_all = Together(uses.reached)
        self._registrations = Together(self._registered)

    def use(self, known: Known) -> None:
        """From now on this is the inventory."""
        self._known = known
        self._answers = Answers(known.inventory)

    async def answer(self, name: str, query: str, address: str) -> Answer:
        """What the form of this name says to `query`, which came from `address`."""
        form = {
            "reached": self._reached,
            "register.ipxe": self._register,
            "unlock.ipxe": self._unlock,
        }.get(name)
        if form is None:
            return Answer(404)
        if not self._rates.allow(address):
            return Answer(429)
        try:
            return await form(query, address)
        except ValueError:
            return Answer(400)
        except NetbootError as error:
            LOG.warning("%s: %s. %s.", name, error.message, error.hint)
            return Answer(503)

    async def _reached(self, query: str, address: str) -> Answer:
        words = identity.words_of(query)
        client = self._known.find(identity.claim_of(words))
        entry = checks.name(words.get("entry", ""))
        if client is None:
            return Answer(204)
        version = words.get("oglive", "")[:_VERSION_LIMIT]
        seen = Seen(datetime.now(UTC), entry, address, version, systems_of(words))
        self._reports.add(client.name, seen, changing=is_changing(words))
        stamp = words.get("stamp", "")
        if not 0 < len(stamp) <= _STAMP_LIMIT:
            return Answer(204)
        if await self._reports_of_all.ask(Report(client.name, entry, stamp)):
            LOG.info("%s got to %s, which it was given for this once.", client.name, entry)
            self._changed()
        return Answer(204)

    async def _register(self, query: str, address: str) -> Answer:
        words = identity.words_of(query)
        claim = identity.claim_of(words)
        known = self._known.find(claim)
        if known is not None:
            return Answer(200, self._answers.registered(answers.KNOWN, name=known.name))
        name = words.get("name", "")
        if name and not _is_hostname(name):
            return Answer(200, self._answers.registered(answers.NO_NAME))
        mine = await self._registrations.ask(
            waiting.asking(claim, words, address, datetime.now(UTC))
        )
        if mine is None:
            LOG.warning("A PC at %s asked to be taken in, and there is no place.", address)
            return Answer(200, self._answers.registered(answers.FULL))
        if mine.since == mine.last:
            LOG.info("A PC at %s waits for approval, number %d.", address, mine.number)
        text = self._answers.registered(answers.WAITING, name=name, number=mine.number)
        return Answer(200, text)

    def _registered(self, new: Sequence[Registration]) -> Sequence[Registration | None]:
        return waiting.register(self._file, new, self._inventory.adapters)

    async def _unlock(self, query: str, address: str) -> Answer:
        words = identity.words_of(query)
        claim = identity.claim_of(words)
        client = self._known.find(claim)
        item = checks.name(words.get("item", ""))
        who = client.name if client else identity.identity_of(claim)
        inventory = self._inventory
        entry = inventory.known_entries.get(item)
        if entry is None or not entry.password:
            return Answer(404)
        # By address: whom a guesser claims to be, he may choose anew for each guess.
        if not self._guesses.allow(address):
            LOG.warning("unlock: %s at %s: %s: too many tries.", who, address, item)
            return Answer(200, self._answers.refused(answers.LATER, client))
        why = await asyncio.to_thread(self._uses.forbids, entry, client)
        if why:
            LOG.info("unlock: %s at %s: %s: refused, %s.", who, address, item, why)
            return Answer(200, self._answers.refused(answers.NOT_NOW, client))
        secret = identity.secret_of(query, "password")[: passwords.LONGEST]
        async with self._turns:
            good = await asyncio.to_thread(self._opens, client, secret)
        LOG.info("unlock: %s at %s: %s: %s.", who, address, item, "opened" if good else "refused")
        if not good:
            return Answer(200, self._answers.refused(answers.WRONG, client))
        return Answer(200, self._answers.opened(entry, client))

    def _opens(self, client: Client | None, secret: str) -> bool:
        kept = passwords.read(self._file)
        around = scopes_around(self._inventory, client) if client else (ALL,)
        scopes = [str(scope) for scope in around]
        return passwords.opens(secret, [kept[scope] for scope in scopes if scope in kept])

    @property
    def _inventory(self) -> Inventory:
        return self._known.inventory


def _is_hostname(text: str) -> bool:
    try:
        checks.hostname(text)
    except ValueError:
        return False
    return True
