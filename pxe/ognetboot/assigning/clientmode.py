# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders as OpenGnsys gives them to `setclientmode`.

ogServer (`POST /mode`) writes a file of four assignments for bash and hands its name over; console
and scripts call it with template, PC or room, and TEMP or PERM. The file holds names that anybody
typed, with quotes and semicolons as they are: it is taken apart here, and no shell ever reads it.
"""

from __future__ import annotations

import re
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
from ognetboot.inventory.scopes import Scope, find_client, rooms_called

# Exit codes of OpenGnsys' server scripts.
MISUSED, NOT_FOUND = 1, 2
USAGE = "setclientmode FILE, or setclientmode TEMPLATE PC-OR-ROOM TEMP|PERM"
ORDER = "MODE_FILE='ENTRY', MAC='001A2B3C4D05', DATA='ANYTHING' and MODE='TEMP' or 'PERM'"
_CALLED = f"it is called as {USAGE}"

_MOST_BYTES = 64 << 10
# Names cannot hold the quote that ends them; the data is whatever stands between, to the last mode.
_FILE = re.compile(
    rb"MODE_FILE='([^'\n\0]*)'\nMAC='([^'\n\0]*)'\nDATA='(.*)'\nMODE='([^'\n\0]*)'\n?\0*",
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
    raise NetbootError("these are not the arguments of setclientmode", hint=_CALLED, code=MISUSED)


def _from_file(path: Path) -> Order:
    content = keeping.read(path, _MOST_BYTES)
    if content is None:
        raise NetbootError(f"there is no file {path}", hint=_CALLED, code=NOT_FOUND)
    return parse(content, path)


def parse(content: bytes, path: Path) -> Order:
    """The order in a file of ogServer's."""
    found = _FILE.fullmatch(content)
    if found is None:
        raise NetbootError(
            f"{path} is no order of ogServer's: {_why_not(content)}",
            hint=f"it has four lines: {ORDER}",
            code=MISUSED,
        )
    template, mac, _, mode = (each.decode("utf-8", "replace") for each in found.groups())
    try:
        return Order(template, checks.mac(mac), mac, _mode(mode, "MODE: "))
    except ValueError as error:
        raise NetbootError(f"MAC: {error}", hint="correct that PC's MAC", code=MISUSED) from None


def _why_not(content: bytes) -> str:
    """What keeps a file from being an order."""
    for key in (b"MODE_FILE", b"MAC", b"DATA", b"MODE"):
        found = re.search(rb"^" + key + rb"=(.*)$", content.rstrip(b"\0\n"), re.MULTILINE)
        if found is None:
            return f"it has no line {key.decode()}="
        value = found[1]
        # What comes of consoles as data may have any quote, and line breaks, in it.
        if key != b"DATA" and not (len(value) > 1 and value[:1] == value[-1:] == b"'"):
            return f"{key.decode()} does not stand in single quotes"
        if key == b"MODE_FILE" and b"'" in value[1:-1]:
            return "a boot mode has no quote in its name"
    return "it has other lines than these"


def _mode(text: str, where: str = "") -> Mode:
    word = {"0": "TEMP", "1": "PERM"}.get(text, text.upper())
    if word not in list(Mode):
        raise NetbootError(
            f"{where}{text!r:.60} is neither TEMP nor PERM",
            hint="TEMP is for this once, PERM for good",
            code=NOT_FOUND,
        )
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
    rooms = () if order.mac is not None else rooms_called(inventory, order.whom)
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
