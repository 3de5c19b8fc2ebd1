# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what one PC (or an unknown one) is offered, as data the templates only print.

The same screen is written for iPXE and for GRUB; how an entry is started is in `starts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ognetboot.assigning import times
from ognetboot.assigning.model import NO_STAMP
from ognetboot.assigning.offers import Offered
from ognetboot.inventory.choices import Choices, Tongue
from ognetboot.inventory.entries import LOCAL_DISK, Entry, Kind, Section
from ognetboot.inventory.model import Client, Inventory
from ognetboot.texts.sentences import Texts, load_texts
from ognetboot.texts.starts import Boot, Given, boot_of, given_of, label_of

# The menu's own keys; entries are numbered 1 to 9.
_ENTRY_KEYS = "123456789"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a menu. `key` starts it, "" where no key is left; `label` is where a script goes.

    `title` is what it says, without its key; `entry` its name. `password`: it is asked for.
    """

    key: str
    label: str
    title: str
    entry: str = ""
    password: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that belong together, under their heading."""

    heading: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Screen:
    """All that is offered to one PC, in the words of its language.

    `host` and `room` are empty for PCs that nobody knows. `groups` is the first screen, `more` the
    second one, behind a key. `notes` are told above the lines. `escape` is where Esc leads.
    `boots` are what starts without a password: how the others start is in no file.
    `timeout_s` 0: start at once; then the menu is seen only after a failure. `wait_s`, never 0, is
    how long it waits when it is seen. `waits`: nothing starts by itself.
    """

    site: str
    host: str
    room: str
    client: Client | None
    language: Tongue
    texts: Texts
    notes: tuple[str, ...]
    groups: tuple[Group, ...]
    more: tuple[Item, ...]
    boots: tuple[Boot, ...]
    disk: Item
    default: str
    given: Given | None
    escape: str
    timeout_s: int
    wait_s: int
    waits: bool
    locked: bool
    picture: str | None

    @property
    def items(self) -> tuple[Item, ...]:
        """Every line of both screens."""
        return (*(item for group in self.groups for item in group.items), *self.more)

    @property
    def about(self) -> str:
        """Which PC this is."""
        return f"{self.host} - {self.room}" if self.room else self.host or self.texts["unknown_pc"]


def screen_for(inventory: Inventory, client: Client | None, offered: Offered) -> Screen:
    """The screen of a PC of the inventory, or of any other one when `client` is None.

    `offered`: what it is to start for a while, and whether nothing else may be.
    """
    choices = inventory.choices_of(client)
    language = choices.language or Tongue.EN
    texts = load_texts(language)
    default, locked = offered.entry, offered.locked
    shown = _shown(inventory, default, locked=locked)
    # What a PC is told to start it starts without a password.
    asked = frozenset(e.name for e in shown if e.password and e.name != default.name)
    # What starts by itself is marked there, so that is where it must be.
    apart = Section.ADMINISTRATION
    first = [e for e in shown if locked or e.section is not apart or e.name == default.name]
    items = _items(shown, first, asked, texts)
    room = inventory.room_of(client) if client else None
    disk = inventory.entry(LOCAL_DISK)
    timeout_s = choices.timeout_s or 0
    return Screen(
        site=inventory.server.title,
        host=client.name if client else "",
        room=room.title if room else "",
        client=client,
        language=language,
        texts=texts,
        notes=_notes(texts, choices, offered),
        groups=_groups(first, items, texts),
        more=tuple(items[e.name] for e in shown if e not in first),
        boots=tuple(
            boot
            for e in shown
            if e.name not in asked
            and (boot := boot_of(inventory, e, client, _title(e, texts), offered))
        ),
        disk=Item("", label_of(disk), _title(disk, texts)),
        default=label_of(default),
        given=given_of(offered),
        escape=label_of(default if locked else disk),
        timeout_s=timeout_s,
        wait_s=timeout_s or max(inventory.timeout_s_of(None), 10),
        waits=default.kind is Kind.MENU,
        locked=locked,
        picture=choices.picture,
    )


def _shown(inventory: Inventory, default: Entry, *, locked: bool) -> list[Entry]:
    """What stands in the menu; what is started by itself always does."""
    if locked:
        return [default]
    shown = [e for e in inventory.entries if e.in_menu or e.name == default.name]
    known = {label_of(e) for e in shown}
    if default.kind is not Kind.MENU and label_of(default) not in known:
        shown.append(default)
    return shown


def _items(
    shown: Sequence[Entry], first: Sequence[Entry], asked: frozenset[str], texts: Texts
) -> dict[str, Item]:
    """A line for each, by its name; the keys are counted on each screen by itself."""
    on_first, on_second = iter(_ENTRY_KEYS), iter(_ENTRY_KEYS)
    ordered = sorted(shown, key=lambda e: list(Section).index(e.section))
    return {
        e.name: Item(
            next(on_first if e in first else on_second, ""),
            label_of(e),
            _title(e, texts),
            e.name,
            e.name in asked,
        )
        for e in ordered
    }


def _groups(entries: Sequence[Entry], items: Mapping[str, Item], texts: Texts) -> tuple[Group, ...]:
    groups = []
    for section in Section:
        lines = tuple(items[e.name] for e in entries if e.section is section)
        if lines:
            groups.append(Group(texts[section], lines))
    return tuple(groups)


def _notes(texts: Texts, choices: Choices, offered: Offered) -> tuple[str, ...]:
    notes = []
    if offered.locked:
        notes.append(_until(texts, "locked", offered.until))
    elif offered.until is not None or offered.stamp != NO_STAMP:
        notes.append(_until(texts, "given", offered.until))
    if choices.protected_until is not None:
        notes.append(_until(texts, "protected", choices.protected_until))
    return tuple(notes)


def _until(texts: Texts, sentence: str, end: datetime | None) -> str:
    """The sentence, with its end as its language writes it, in the server's zone."""
    if end is None:
        return texts[sentence]
    local = end.astimezone()
    if (day := times.day_that_ends(local)) is not None:
        return f"{texts[sentence]} {texts['until_end_of']} {day.strftime(texts['day'])}"
    return f"{texts[sentence]} {texts['until']} {local.strftime(texts['moment'])}"


def _title(entry: Entry, texts: Texts) -> str:
    return entry.title or texts["local_disk"]
