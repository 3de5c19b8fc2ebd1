# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tables of PCs out of what was brought, behind those of the places they stand in. Pure."""

from __future__ import annotations

from collections import Counter

from ognetboot.inventory import checks
from ognetboot.inventory.editing import NewTable, Value
from ognetboot.inventory.entries import BUILT_IN, LOCAL_DISK
from ognetboot.inventory.importing.brought import Brought, BroughtPc
from ognetboot.inventory.importing.building import Build, build_places, started
from ognetboot.inventory.importing.names import host_of, name_of, title_of
from ognetboot.inventory.importing.outcome import Outcome
from ognetboot.inventory.model import Inventory

# Names of boot modes that OpenGnsys had before, or writes otherwise, in small letters.
_ENTRIES = {e.name: e.name for e in BUILT_IN} | {"01": "10", "1": "10", LOCAL_DISK: LOCAL_DISK}
# OpenGnsys writes it for every PC that nobody assigned anything to. As a PC's own word it would
# come before whatever its room is given later.
_UNASSIGNED = "00unknown"


def build(brought: Brought, there: Inventory | None = None) -> Outcome:
    """All tables that the inventory needs; `there`: what it has already is kept as it is."""
    made = started(brought, there)
    made.outcome.pcs = len(brought.pcs)
    made.outcome.notes += brought.notes
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
    return {
        room: entry for room, (entry, count) in most.items() if count > 1 and entry != _UNASSIGNED
    }


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
    _start(made, pc, values, where, usual)
    made.hosts.add(name.lower())
    # A PC has no title: the name that people know it by stands above it.
    called = title_of(pc.name, checks.TITLE_LIMIT)
    made.add(("clients",), values, "" if called == name else called)
    made.outcome.taken.append(where)


def _start(
    made: Build, pc: BroughtPc, values: dict[str, Value], where: str, usual: str | None
) -> None:
    """The PC's own entry, where it has another one than its room."""
    entry = _entry(pc.entry)
    if pc.entry and entry is None:
        made.outcome.left_out.append(f"{where}: boot mode {pc.entry!r} is a template of its own")
    elif entry == _UNASSIGNED and usual:
        made.outcome.left_out.append(
            f"{where}: was never assigned a boot mode, and starts what its room does: {usual}"
        )
    elif entry not in (None, _UNASSIGNED, usual):
        values["entry"] = str(entry)


def _identity(made: Build, pc: BroughtPc, where: str) -> dict[str, Value] | None:
    """MAC, UUID and address, each where it is this PC's alone; None: it is not taken."""
    mac, why = "", "has neither a MAC nor a UUID to be known by"
    try:
        mac = checks.mac(pc.mac) if pc.mac else ""
    except ValueError as error:
        why = f"mac: {error}"
    uuid = made.checked(where, "uuid", pc.uuid) or ""
    marks = {"mac": mac, "uuid": uuid}
    ip = made.checked(where, "ip", pc.ip) or ""
    known = next((made.known[mark] for mark in marks.items() if mark in made.known), None)
    taken = next((mark for mark in marks.items() if mark in made.owners), None)
    if known is not None and taken is None:
        other = f" with the ip {known.ip or 'of DHCP'}" if ip and ip != str(known.ip) else ""
        made.outcome.there.append(f"{where}, as {known.name}{other}")
        made.owners |= {mark: where for mark in marks.items() if mark[1]}
        return None
    # A second row of a PC is another one by mistake, and told as such.
    if taken is not None and (known is not None or taken[0] == "mac"):
        made.outcome.leave_out(where, f"{taken[0]} {taken[1]} is that of {made.owners[taken]}")
        return None
    values: dict[str, Value] = {}
    for key, value in {**marks, "ip": ip}.items():
        owner = made.owners.get((key, value))
        if owner is not None and key == "uuid" and not mac:
            why = f"uuid {value} is that of {owner}"
        elif owner is not None:
            made.outcome.left_out.append(
                f"conflict: {where}: {key} {value} is that of {owner}, and is not taken"
            )
        elif value:
            values[key] = value
    if "mac" not in values and "uuid" not in values:
        made.outcome.leave_out(where, why)
        return None
    if pc.mac and not mac:
        made.outcome.left_out.append(f"{where}: {why}")
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
