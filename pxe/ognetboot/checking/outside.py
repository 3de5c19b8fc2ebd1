# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory needs that does not stand in it: loaders, pictures, passwords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ognetboot.checking.told import Told
from ognetboot.errors import NetbootError
from ognetboot.hearing import passwords
from ognetboot.inventory import reading
from ognetboot.inventory.agreement import Found, scopes
from ognetboot.inventory.model import Inventory
from ognetboot.inventory.places import find_places
from ognetboot.inventory.scopes import scopes_around
from ognetboot.texts.loaders import read_loaders
from ognetboot.texts.pictures import picture_of
from ognetboot.texts.render import needed_loaders


def warn_of_outside(
    path: Path, whole: reading.Reading, folders: tuple[Path, ...]
) -> Iterator[Told]:
    """An error for whatever `render` would miss, a warning for what no password opens.

    `folders`: where loaders are looked for.
    """
    if whole.inventory is None:
        return
    try:
        read_loaders(needed_loaders(whole.inventory), folders)
    except NetbootError as error:
        yield Told(path.name, 1, "error", "", error.message, error.hint)
    yield from _pictures(path, whole.found)
    yield from _passwords(path, whole.inventory, whole.found)


def _pictures(path: Path, found: Found) -> Iterator[Told]:
    told = set[str]()
    for table, _, choices in scopes(found):
        name = choices.picture
        if name is None or name in told:
            continue
        told.add(name)
        try:
            picture_of(path.parent, name)
        except NetbootError as error:
            line = find_places(reading.text_of(path)).line_of((*table.path, "picture"))
            where = f"{table.where} picture"
            yield Told(path.name, line, "error", where, error.message, error.hint)


def _passwords(path: Path, inventory: Inventory, found: Found) -> Iterator[Told]:
    locked = [(table, entry) for table, entry in found.entries if entry.password and entry.in_menu]
    if not locked:
        return
    try:
        kept: Mapping[str, object] = passwords.read(path.resolve())
    except NetbootError as error:
        yield Told(path.name, 1, "error", "", error.message, error.hint)
        return
    without = [
        client.name
        for client in inventory.clients
        if not any(str(scope) in kept for scope in scopes_around(inventory, client))
    ]
    if kept and not without:
        return
    places = find_places(reading.text_of(path))
    more = f" and {len(without) - 1} more" if len(without) > 1 else ""
    what = f"{without[0]}{more} stand{'' if more else 's'} in no scope" if kept else "no scope has"
    what = f"{what} that has a password" if kept else f"{what} a password"
    for table, entry in locked:
        yield Told(
            path.name,
            places.line_of((*table.path, "password")),
            "warning",
            f"{table.where} password",
            f"{what}, so that `{entry.name}` opens for nobody{' there' if kept else ''}",
            "set one with `ognetboot password all`",
        )
