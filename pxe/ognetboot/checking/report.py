# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a whole inventory, or several beside each other, and tells each fault with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ognetboot.assigning.model import Assigned
from ognetboot.assigning.offers import effective
from ognetboot.checking.inherited import Whole, warn_of_whole
from ognetboot.checking.loader_limits import Loaders, faults_of_template, warn_of_limits
from ognetboot.checking.strange import warn_of_tables
from ognetboot.checking.told import Told
from ognetboot.errors import NetbootError
from ognetboot.inventory import reading
from ognetboot.inventory.agreement import values
from ognetboot.inventory.claims import claimed
from ognetboot.inventory.custom import FOLDER, GRUB, IPXE, read_custom
from ognetboot.inventory.faults import Fault
from ognetboot.inventory.model import UefiLoader
from ognetboot.inventory.places import find_places
from ognetboot.texts.screens import screen_for

_AT_LINE = re.compile(r"(?::(\d+))?: (.*)", re.DOTALL)
_OF_ENTRY = re.compile(r"entry `([^`]+)`: (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Checked:
    """All that was found in one file."""

    path: Path
    reading: reading.Reading | None
    told: tuple[Told, ...]

    @property
    def errors(self) -> int:
        """For how many of them nothing is rendered."""
        return sum(one.severity == "error" for one in self.told)


def check(path: Path, *, allow_test: bool, loaders: Loaders, now: datetime) -> Checked:
    """Every fault of the inventory at `path`; a file that cannot be read at all is refused."""
    text = reading.text_of(path)
    try:
        found = reading.read(text, source=path.name, allow_test=allow_test)
    except NetbootError as error:
        return Checked(path, None, (_broken(path, error),))
    warn_of_tables(found.found, now)
    outside: list[Told] = []
    if found.inventory is not None:
        whole = Whole(found.inventory, found.found, now)
        warn_of_whole(whole)
        warn_of_limits(whole, loaders)
        _check_texts(whole, found)
        outside = list(_check_custom(path, whole, loaders))
    places = find_places(text)
    told = [_told(path, places.line_of(fault.path), fault) for fault in found.faults.found]
    told.sort(key=lambda one: one.line)
    return Checked(path, found, (*told, *outside))


def _broken(path: Path, error: NetbootError) -> Told:
    match = _AT_LINE.fullmatch(error.message.removeprefix(path.name))
    line, cause = (int(match[1] or 1), match[2]) if match else (1, error.message)
    return Told(path.name, line, "error", "", cause, error.hint)


def _told(path: Path, line: int, fault: Fault) -> Told:
    severity = "warning" if fault.warning else "error"
    return Told(path.name, line, severity, fault.where, fault.what, fault.hint)


def _check_texts(whole: Whole, found: reading.Reading) -> None:
    """What `render` would refuse, each entry once, with the first PC that it happens to."""
    refused: dict[str, Fault] = {}
    for client in (None, *whole.inventory.clients):
        offered = effective(whole.inventory, Assigned(), client, whole.now)
        try:
            screen_for(whole.inventory, client, offered)
        except NetbootError as error:
            match = _OF_ENTRY.fullmatch(error.message)
            name, what = (match[1], match[2]) if match else ("", error.message)
            fault = Fault(("entries", name, "args"), f"[entries.{name}]", what, error.hint)
            refused.setdefault(name, fault)
    for fault in refused.values():
        found.faults.add(fault)


def _check_custom(path: Path, whole: Whole, loaders: Loaders) -> Iterable[Told]:
    """The site's own scripts: there, and fit for the loaders."""
    for table, entry in whole.found.entries:
        if entry.template is None:
            continue
        name, where = f"{FOLDER}/{entry.template}{IPXE}", table.where
        try:
            data = read_custom(path, entry.template + IPXE)
        except NetbootError as error:
            yield Told(name, 1, "error", where, error.message, error.hint)
            continue
        if data is None:
            yield Told(name, 1, "error", where, "is not there", "put the entry's script there")
            continue
        for line, cause, hint, warning in faults_of_template(data, loaders):
            yield Told(name, line, "warning" if warning else "error", where, cause, hint)
        signed = whole.inventory.server.uefi_loader is UefiLoader.SHIM
        if signed and read_custom(path, entry.template + GRUB) is None:
            name = f"{FOLDER}/{entry.template}{GRUB}"
            hint = "put GRUB's lines there; without them these PCs go on to their disk"
            yield Told(name, 1, "warning", where, "is not there, and shim starts GRUB", hint)


# ---- several inventories ------------------------------------------------------------------------


def claims(checked: Sequence[Checked]) -> list[Told]:
    """PCs that two inventories claim, each with the line of the later one."""
    found: list[Told] = []
    for number, one in enumerate(checked):
        for other in checked[:number]:
            found += _claimed(one, other)
    return found


def _claimed(one: Checked, other: Checked) -> list[Told]:
    if one.reading is None or other.reading is None:
        return []
    clients = one.reading.found.clients
    tables = {id(client): table for table, client in clients}
    pairs = list(claimed(values(clients), values(other.reading.found.clients)))
    places = find_places(reading.text_of(one.path)) if pairs else None
    return [
        Told(
            file=one.path.name,
            line=places.line_of(tables[id(mine)].path) if places else 1,
            severity="error",
            where=tables[id(mine)].where,
            cause=f"{mine.name} with the {kind} {value} is claimed by {other.path} too, as "
            f"{theirs.name}",
            hint="leave the PC in one inventory",
        )
        for mine, (kind, value), theirs in pairs
    ]


def as_json(checked: Sequence[Checked], extra: Sequence[Told]) -> dict[str, object]:
    """All of it as JSON has it."""
    told = [one for each in checked for one in each.told] + list(extra)
    return {
        "files": [str(each.path) for each in checked],
        "errors": sum(one.severity == "error" for one in told),
        "warnings": sum(one.severity == "warning" for one in told),
        "faults": [asdict(one) for one in told],
    }
