# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what one PC (or an unknown one) is offered, as data the templates only print.

The same screen is written for iPXE and for GRUB; how an entry is started is in `starts.py`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields

from ognetboot.assigning.offers import Offered
from ognetboot.inventory.entries import LOCAL_DISK, Entry
from ognetboot.inventory.model import Client, Inventory, Room
from ognetboot.texts.languages import plain, resource
from ognetboot.texts.starts import Boot, Given, boot_of, given_of, label_of

# The menu's own keys; entries are numbered 1 to 9.
_ENTRY_KEYS = "123456789"


@dataclass(frozen=True, slots=True)
class Texts:
    """Every sentence a person may read while booting, in one language of menus.toml."""

    unknown_pc: str
    start: str
    local_disk: str
    more: str
    leave: str
    countdown: str
    starting: str
    to_disk: str
    failed: str
    retry: str


@dataclass(frozen=True, slots=True)
class Look:
    """How long a failure stays on the screen."""

    failed_s: int


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the menu."""

    key: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Screen:
    """All that is offered to one PC. `timeout_s` 0: start at once; then the menu is
    seen only after a failure. `wait_s`, never 0, is how long it waits when it is seen."""

    title: str
    about: str
    client: Client | None
    items: tuple[Item, ...]
    boots: tuple[Boot, ...]
    disk: Item
    default: str
    given: Given | None
    timeout_s: int
    wait_s: int


def load_texts(language: str = "en") -> Texts:
    """The sentences of menus.toml; a missing or unknown one is a fault of the package."""
    values = tomllib.loads(resource("menus/menus.toml"))["texts"][language]
    return Texts(**{name: plain(text) for name, text in values.items()})


def load_look() -> Look:
    """Times of menus.toml."""
    values = tomllib.loads(resource("menus/menus.toml"))["look"]
    return Look(**{f.name: int(values[f.name]) for f in fields(Look)})


def screen_for(
    inventory: Inventory, client: Client | None, texts: Texts, offered: Offered
) -> Screen:
    """The screen of a PC of the inventory, or of any other one when `client` is None."""
    server = inventory.server
    default = offered.entry
    shown = [e for e in inventory.entries if e.in_menu or e.name == default.name]
    if offered.locked:
        shown = []
    if default.name not in {e.name for e in shown}:
        shown.append(default)
    room = inventory.room_of(client) if client else None
    keys = iter(_ENTRY_KEYS)
    items = tuple(Item(next(keys, ""), label_of(e), _title(e, texts)) for e in shown)
    local = inventory.entry(LOCAL_DISK)
    disk = Item("", label_of(local), _title(local, texts))
    timeout_s = inventory.timeout_s_of(client)
    return Screen(
        title=plain(server.title),
        about=_about(client, room) if client else texts.unknown_pc,
        client=client,
        items=items,
        boots=tuple(
            b for e in shown if (b := boot_of(inventory, e, client, _title(e, texts), offered))
        ),
        disk=disk,
        default=label_of(default),
        given=given_of(offered),
        timeout_s=timeout_s,
        wait_s=timeout_s or max(inventory.timeout_s_of(None), 10),
    )


def _about(client: Client, room: Room | None) -> str:
    return f"{client.name} - {plain(room.title)}" if room else client.name


def _title(entry: Entry, texts: Texts) -> str:
    return plain(entry.title) if entry.title else texts.local_disk
