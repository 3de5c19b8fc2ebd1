# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders as OpenGnsys gives them to `setclientmode`.

ogServer (`POST /mode`) writes a file of four assignments for bash and hands its name over; console
and scripts call it with template, PC or room, and TEMP or PERM. The file holds names that anybody
typed, with quotes and semicolons as they are: it is taken apart here, and no shell ever reads it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ognetboot import keeping
from ognetboot.assigning.mirror import shown_names
from ognetboot.errors import NetbootError
from ognetboot.inventory import checks
from ognetboot.inventory.entries import Entry
from ognetboot.inventory.model import Inventory, ScopeKind
from ognetboot.inventory.scopes import Scope, find_client

# Exit codes of OpenGnsys' server scripts.
MISUSED, NOT_FOUND = 1, 2
USAGE = "setclientmode FILE, or setclientmode TEMPLATE PC-OR-ROOM TEMP|PERM"

_MOST_BYTES = 64 << 10
# Names cannot hold the quote that ends them; the data is whatever stands between, to the last mode.
_FILE = re.compile(
    rb"MODE_FILE='([^'\n\0]*)'\nMAC='([^'\n\0]*)'\nDATA='(.*)'\nMODE='([A-Za-z0-9]*)'\n?\0*",
    re.DOTALL,
)


class Mode(StrEnum):
    """For this once, or for good."""

    TEMP = "TEMP"
    PERM = "PERM"


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants: `template` and `whom` are not looked up yet; by MAC, or by a name."""

    template: str
    mac: str | None
    whom: str
    mode: Mode


def order_of(words: Sequence[str]) -> Order:
    """The order in the arguments of `setclientmode`."""
    match list(words):
        case [file]:
            return _from_file(Path(file))
        case [template, to, mode]:
            return Order(template, None, to, _mode(mode))
    raise NetbootError("these are not the arguments of setclientmode", hint=USAGE, code=MISUSED)


def _from_file(path: Path) -> Order:
    content = keeping.read(path, _MOST_BYTES)
    if content is None:
        raise NetbootError(f"there is no file {path}", hint=USAGE, code=NOT_FOUND)
    return parse(content, path)


def parse(content: bytes, path: Path) -> Order:
    """The order in a file of ogServer's."""
    found = _FILE.fullmatch(content)
    if found is None:
        raise NetbootError(
            f"{path} is no order of ogServer's: it gives MODE_FILE, MAC, DATA and MODE",
            hint="a name with a quote in it cannot be a boot mode",
            code=MISUSED,
        )
    template, mac, _, mode = (each.decode("utf-8", "replace") for each in found.groups())
    try:
        return Order(template, checks.mac(mac), mac, _mode(mode))
    except ValueError as error:
        raise NetbootError(f"MAC: {error}", hint="correct that PC's MAC", code=MISUSED) from None


def _mode(text: str) -> Mode:
    word = {"0": "TEMP", "1": "PERM"}.get(text, text.upper())
    if word not in list(Mode):
        raise NetbootError(f"{text!r:.60} is neither TEMP nor PERM", hint=USAGE, code=NOT_FOUND)
    return Mode(word)


# ---- who and what is meant ----------------------------------------------------------------------


def scope_of(inventory: Inventory, order: Order) -> Scope:
    """The PC of that MAC; by name a PC, or a room as OpenGnsys names it: by its title."""
    client = find_client(inventory, order.mac or order.whom)
    if order.mac is not None and client is None:
        raise NetbootError(
            f"no PC of the inventory has the MAC {order.mac}",
            hint="add it, or import ogServer's PCs",
            code=NOT_FOUND,
        )
    rooms = () if order.mac is not None else _rooms(inventory, order.whom)
    found = [Scope(ScopeKind.ROOM, name) for name in rooms]
    if client is not None:
        found.append(Scope(ScopeKind.PC, client.name))
    if len(found) != 1:
        what = "more than one PC or room is" if found else "no PC and no room of the inventory is"
        raise NetbootError(
            f"{what} called {order.whom!r:.80}",
            hint="`ognetboot list` says which there are",
            code=NOT_FOUND,
        )
    return found[0]


def _rooms(inventory: Inventory, text: str) -> tuple[str, ...]:
    """Rooms of exactly that name or title; else those that differ in accents, case or blanks."""
    exact = tuple(r.name for r in inventory.rooms if text in (r.name, r.title))
    folded = _folded(text)
    return exact or tuple(r.name for r in inventory.rooms if _folded(r.title) == folded)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("_", " ").casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def entry_of(inventory: Inventory, template: str) -> Entry:
    """The entry of that name, or the one that is shown by that name to OpenGnsys."""
    known = inventory.known_entries
    if template in known:
        return known[template]
    shown = shown_names(known.values())
    found = [name for name, word in shown.items() if word == template]
    found = found or [name for name in known if name.casefold() == template.casefold()]
    if len(found) != 1:
        raise NetbootError(
            f"there is no boot mode {template!r:.80}",
            hint=f"known: {', '.join(known)}",
            code=NOT_FOUND,
        )
    return known[found[0]]
