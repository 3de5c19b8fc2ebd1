# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tables of PCs out of what was brought, behind those of the places they stand in. Pure."""

from __future__ import annotations

from collections import Counter

from ognetboot.inventory import checks
from ognetboot.inventory.editing import NewTable, Value
from ognetboot.inventory.entries import BUILT_IN, LOCAL_DISK
from ognetboot.inventory.importing.brought import Brought, BroughtPc
from ognetboot.inventory.importing.building import Build, build_places, started
from ognetboot.inventory.importing.names import host_of, name_of
from ognetboot.inventory.importing.outcome import Outcome
from ognetboot.inventory.model import Inventory

# Names of boot modes that OpenGnsys had before, or writes otherwise, in small letters.
_ENTRIES = {e.name: e.name for e in BUILT_IN} | {"01": "10", "1": "10", LOCAL_DISK: LOCAL_DISK}


def build(brought: Brought, there: Inventory | None = None) -> Outcome:
    """All tables that the inventory needs; `there`: what it has already is kept as it is."""
    made = started(brought, there)
    build_places(made)
    usual = _usual_entries(brought)
    _say_usual_entries(made, usual)
    for number, pc in enumerate(brought.pcs, 1):
        _pc(made, pc, number, usual.get(pc.room))
    made.outcome.left_out += [
        f"{what} ({count})" if count > 1 else what for what, count in sorted(brought.lost.items())
    ]
    return made.outcome


def _entry(text: str) -> str | None:
    """Our entry for the name of a boot mode."""
    return _ENTRIES.get(text.lower())


def _usual_entries(brought: Brought) -> dict[str, str]:
    """What most PCs of each room start, where more than one of them does."""
    found: dict[str, Counter[str]] = {}
    for pc in brought.pcs:
        entry = _entry(pc.entry)
        if pc.room and entry is not None:
            found.setdefault(pc.room, Counter())[entry] += 1
    most = {room: counts.most_common(1)[0] for room, counts in found.items()}
    return {room: entry for room, (entry, count) in most.items() if count > 1}


def _say_usual_entries(made: Build, usual: dict[str, str]) -> None:
    names = {made.rooms.by_number[room]: entry for room, entry in usual.items()
             if room in made.rooms.by_number}  # fmt: skip
    for number, table in enumerate(made.outcome.tables):
        if table.family == "rooms" and table.path[1] in names:
            values = {**table.values, "default_entry": names[table.path[1]]}
            made.outcome.tables[number] = NewTable(table.path, values, table.about)


def _pc(made: Build, pc: BroughtPc, number: int, usual: str | None) -> None:
    where = f"PC {pc.name or pc.mac} ({pc.place})"
    identity = _identity(made, pc, where)
    if identity is None:
        return
    name = _host(made, pc, number, where)
    values: dict[str, Value] = {**identity, "name": name}
    for key in ("serial", "firmware", "repository"):
        value = made.checked(where, key, getattr(pc, key))
        if value is not None:
            values[key] = value
    if pc.room:
        _stand(made, pc, values, where)
    if groups := _groups(made, pc):
        values["groups"] = groups
    if pc.hardware:
        values["hardware"] = name_of(pc.hardware, (), "hardware")
    if pc.teacher:
        values["teacher"] = True
    if pc.entry:
        entry = _entry(pc.entry)
        if entry is None:
            made.outcome.left_out.append(
                f"{where}: boot mode {pc.entry!r} is a template of its own"
            )
        elif entry != usual:
            values["entry"] = entry
    made.hosts.add(name.lower())
    made.add(("clients",), values)
    made.outcome.taken.append(where)


def _identity(made: Build, pc: BroughtPc, where: str) -> dict[str, Value] | None:
    """MAC, UUID and address, each where it is this PC's alone; None: nothing tells it."""
    try:
        mac = checks.mac(pc.mac) if pc.mac else ""
    except ValueError as error:
        made.outcome.left_out.append(f"{where}: mac: {error}")
        mac = ""
    values: dict[str, Value] = {}
    found = {"mac": mac, "uuid": made.checked(where, "uuid", pc.uuid),
             "ip": made.checked(where, "ip", pc.ip)}  # fmt: skip
    for key, value in found.items():
        owner = made.owners.get((key, value or ""))
        if owner is not None:
            made.outcome.left_out.append(f"{where}: {key} {value} is that of {owner}")
            if key == "mac":
                return None
        elif value:
            values[key] = value
    if "mac" not in values and "uuid" not in values:
        made.outcome.left_out.append(f"{where}: has neither a MAC nor a UUID to be known by")
        return None
    made.owners |= {(key, str(value)): where for key, value in values.items()}
    return values


def _host(made: Build, pc: BroughtPc, number: int, where: str) -> str:
    name = host_of(pc.name, made.hosts, f"pc-{number}")
    if name != pc.name:
        made.outcome.renamed.append(f"{where} is {name}")
    return name


def _stand(made: Build, pc: BroughtPc, values: dict[str, Value], where: str) -> None:
    name = made.rooms.by_number.get(pc.room)
    if name is None:
        made.outcome.left_out.append(f"{where}: there is no room {pc.room}")
    else:
        values["room"] = name


def _groups(made: Build, pc: BroughtPc) -> list[str]:
    """The PC's group behind those of its room."""
    room = next((r for r in made.brought.rooms if r.number == pc.room), None)
    numbers = [*(room.groups if room else ()), pc.group]
    return [made.groups.by_number[n] for n in numbers if n in made.groups.by_number]
