# SPDX-License-Identifier: GPL-3.0-or-later
"""The iPXE scripts that forms answer with: guarded templates, filled in here. Pure."""

from __future__ import annotations

from dataclasses import replace

from ognetboot.assigning.offers import for_good
from ognetboot.inventory.choices import Choices, Tongue
from ognetboot.inventory.entries import Entry
from ognetboot.inventory.model import Client, Inventory
from ognetboot.texts.render import menus_of, render_screens

# What became of a registration, and of a password.
WAITING, KNOWN, NO_NAME, FULL = "waiting", "known", "no_name", "full"
WRONG, LATER, NOT_NOW = "wrong", "later", "not_now"
# How long what became of a registration stays on the screen.
_WAIT_S = 60


class Answers:
    """Those of one inventory. Its templates are read once: a room registers itself in a second."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._menus = menus_of(inventory)

    def registered(self, state: str, *, name: str = "", number: int = 0) -> str:
        """What became of a registration; `name` is a host name that was checked."""
        return self._menus.answer(
            "registered",
            self._language_of(None),
            state=state,
            name=name,
            number=number,
            wait_s=_WAIT_S,
        )

    def refused(self, state: str, client: Client | None) -> str:
        """Why a locked entry stays locked."""
        return self._menus.answer("refused", self._language_of(client), state=state)

    def opened(self, entry: Entry, client: Client | None) -> str:
        """The script of this PC in which the entry is not locked, and starts at once.

        It is the whole script, with all its ways out of a failure. Paths in it mean the same here
        as there: both lie one folder below the tree.
        """
        inventory = self._inventory
        entries = tuple(
            replace(one, password=False) if one.name == entry.name else one
            for one in inventory.entries
        )
        if client is None:
            server = inventory.server
            server = replace(server, choices=_at_once(server.choices, entry))
            return _script(replace(inventory, server=server, entries=entries), None)
        return _script(
            replace(inventory, entries=entries),
            replace(client, choices=_at_once(client.choices, entry)),
        )

    def _language_of(self, client: Client | None) -> Tongue:
        return self._inventory.choices_of(client).language or Tongue.EN


def _at_once(choices: Choices, entry: Entry) -> Choices:
    return replace(choices, entry=entry.name, timeout_s=0)


def _script(inventory: Inventory, client: Client | None) -> str:
    files = render_screens(inventory, (client,), for_good(inventory))
    return next(text for name, text in files.items() if name.suffix == ".ipxe")
