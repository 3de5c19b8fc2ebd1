# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands beside an inventory and is strange: what was given for a while to nobody, or what no
PC of its scope will start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ognetboot.assigning import able
from ognetboot.assigning.coming import pending
from ognetboot.assigning.ears import Ear, heard_by
from ognetboot.assigning.model import Assigned, Assignment
from ognetboot.assigning.offers import wanted
from ognetboot.assigning.store import Store
from ognetboot.checking.told import Told
from ognetboot.errors import NetbootError
from ognetboot.inventory.model import Client, Inventory
from ognetboot.inventory.scopes import scopes_around


def warn_of_given(path: Path, inventory: Inventory, now: datetime) -> Iterator[Told]:
    """A warning for each assignment that gives nothing; an error where they cannot be read."""
    store = Store(path.resolve())
    try:
        assigned = store.read()
    except NetbootError as error:
        yield Told(store.path.name, 1, "error", "", error.message, error.hint)
        return
    if not assigned.all:
        return
    around = [(c, {str(s) for s in scopes_around(inventory, c)}) for c in inventory.clients]
    for each in assigned.all:
        clients = [client for client, scopes in around if each.scope in scopes]
        cause = _why_nothing(inventory, each, clients, now)
        if cause and not each.over(now):
            hint = f"take it back with `ognetboot {_undo(each, now)}`"
            yield Told(store.path.name, 1, "warning", each.scope, cause, hint)
    if _counts(inventory, assigned, now) and heard_by(path.resolve()) is Ear.NONE:
        hint = "start `ognetboot serve` or `ognetboot follow`"
        cause = "no server is running, so PCs cannot report: entries given once stay pending"
        yield Told(store.path.name, 1, "warning", "", cause, hint)


def rule_of_given(path: Path, inventory: Inventory, now: datetime) -> Iterator[str]:
    """How what is given so many times is used up, where something is and that is known."""
    try:
        assigned = Store(path.resolve()).read()
    except NetbootError:  # told as an error
        return
    ear = heard_by(path.resolve())
    if ear is not Ear.NONE and _counts(inventory, assigned, now):
        yield f'{path.name}: what is given "this once": {ear.rule}'


def _counts(inventory: Inventory, assigned: Assigned, now: datetime) -> bool:
    """Whether a PC is still to get something so many times."""
    counted = [each for each in assigned.all if each.boots is not None]
    for client in inventory.clients if counted else ():
        scopes = {str(scope) for scope in scopes_around(inventory, client)}
        if any(each.scope in scopes and pending(each, [client], now) for each in counted):
            return True
    return False


def _undo(one: Assignment, now: datetime) -> str:
    also_later = "" if one.begun(now) else " --all"
    return f"{f'exam {one.scope} --end' if one.exam else f'set {one.scope} --clear'}{also_later}"


def _why_nothing(
    inventory: Inventory, one: Assignment, clients: list[Client], now: datetime
) -> str | None:
    if not clients:
        return f"{one.entry} is given to it, and the inventory has no PC there"
    for client in clients:
        entry = wanted(inventory, client, one.entry)
        if entry is not None and able.why_not(inventory, client, entry, one.start or now) is None:
            return None
    return f"{one.entry} is given to it, and no PC there can start that"
