# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tables of centres, groups and rooms out of what was brought. Pure.

Each value goes through the checks of the inventory; one that they refuse is left out and told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ognetboot.inventory import checks, choice_values
from ognetboot.inventory.editing import NewTable, Value
from ognetboot.inventory.importing.brought import (
    Brought,
    BroughtCentre,
    BroughtGroup,
    BroughtRoom,
)
from ognetboot.inventory.importing.names import group_of, name_of, title_of
from ognetboot.inventory.importing.outcome import Outcome
from ognetboot.inventory.model import Centre, Client, Firmware, Group, Inventory, Room

_CHECKS: dict[str, Callable[[str], object]] = {
    "unit": checks.name,
    "multicast": choice_values.multicast,
    "p2p": choice_values.p2p,
    "proxy": checks.host_port,
    "ntp": choice_values.addresses,
    "repository": checks.host_port,
    "ip": checks.ipv4,
    "uuid": checks.uuid,
    "serial": checks.serial,
    "firmware": lambda text: Firmware(text.lower()),
}


@dataclass(slots=True)
class Names:
    """Names that are taken, in small letters; titles that are there, and whose number has which."""

    taken: set[str] = field(default_factory=set)
    by_title: dict[str, str] = field(default_factory=dict)
    by_number: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Build:
    """One import on its way. `owners`: whose each MAC, address and UUID is; `known`: which PC of
    the inventory has this MAC or UUID already."""

    brought: Brought
    outcome: Outcome = field(default_factory=Outcome)
    centres: Names = field(default_factory=Names)
    rooms: Names = field(default_factory=Names)
    groups: Names = field(default_factory=Names)
    hosts: set[str] = field(default_factory=set)
    owners: dict[tuple[str, str], str] = field(default_factory=dict)
    known: dict[tuple[str, str], Client] = field(default_factory=dict)

    def checked(self, where: str, key: str, text: str) -> str | None:
        """The text as the inventory takes it; told where it does not."""
        if not text:
            return None
        try:
            return str(_CHECKS[key](text))
        except ValueError as error:
            self.outcome.left_out.append(f"{where}: {key}: {error}")
            return None

    def add(self, path: tuple[str, ...], values: dict[str, Value], about: str = "") -> None:
        """One more table."""
        self.outcome.tables.append(NewTable(path, values, about))


def started(brought: Brought, there: Inventory | None) -> Build:
    """An import that knows what an inventory has already."""
    made = Build(brought)
    if there is None:
        return made
    places: tuple[tuple[Names, Sequence[Centre | Room | Group]], ...] = (
        (made.centres, there.centres),
        (made.rooms, there.rooms),
        (made.groups, there.groups),
    )
    for names, named in places:
        names.taken |= {one.name.lower() for one in named}
        names.by_title |= {one.title.casefold(): one.name for one in named}
    made.hosts |= {client.name.lower() for client in there.clients}
    for client in there.clients:
        made.known |= {("mac", mac): client for mac in client.macs}
        if client.uuid is not None:
            made.known["uuid", client.uuid] = client
        if client.ip is not None:
            made.owners["ip", str(client.ip)] = client.name
    made.owners |= {("mac", mac): "an adapter of [adapters]" for mac in there.adapters}
    return made


def build_places(made: Build) -> None:
    """Tables of centres, groups and rooms."""
    for centre in made.brought.centres:
        if name := _named(made, made.centres, "centre", centre.number, centre.title):
            _centre(made, centre, name)
    for group in _ordered(made.brought.groups):
        if name := _named(made, made.groups, "group", group.number, group.title):
            values: dict[str, Value] = {"title": title_of(group.title, checks.TITLE_LIMIT)}
            if group.within in made.groups.by_number:
                values["within"] = made.groups.by_number[group.within]
            made.add(("groups", name), values)
    for room in made.brought.rooms:
        if name := _named(made, made.rooms, "room", room.number, room.title):
            _room(made, room, name)


def _named(made: Build, names: Names, what: str, number: str, title: str) -> str | None:
    """Its name, where it is to be written; None: the inventory has one of this title."""
    shown = title_of(title, checks.TITLE_LIMIT) or f"{what} {number}"
    there = names.by_title.get(shown.casefold())
    if there is not None:
        names.by_number[number] = there
        made.outcome.there.append(f"{what} {shown}, as {there}")
        return None
    name = name_of(shown, names.taken, f"{what}-{number}")
    names.taken.add(name.lower())
    names.by_number[number] = name
    made.outcome.taken.append(f"{what} {shown}")
    if name != title:
        made.outcome.renamed.append(f"{what} {title!r} is {name}, with the title {shown!r}")
    return name


def _centre(made: Build, centre: BroughtCentre, name: str) -> None:
    values: dict[str, Value] = {"title": title_of(centre.title, checks.TITLE_LIMIT) or name}
    unit = made.checked(f"centre {centre.title}", "unit", centre.unit)
    if unit is not None:
        values["unit"] = unit
    made.add(("centres", name), values)


def _ordered(groups: Iterable[BroughtGroup]) -> list[BroughtGroup]:
    """Each behind the one around it; a circle is cut."""
    left, done = list(groups), set[str]()
    numbers = {group.number for group in left}
    ordered: list[BroughtGroup] = []
    while left:
        ready = [g for g in left if g.within in done or g.within not in numbers] or left[:1]
        ordered += ready
        done |= {group.number for group in ready}
        left = [group for group in left if group.number not in done]
    return ordered


def _room(made: Build, room: BroughtRoom, name: str) -> None:
    values: dict[str, Value] = {"title": title_of(room.title, checks.TITLE_LIMIT) or name}
    # Scripts know a room by what OpenGnsys told them.
    group = group_of(room.title)
    if group and group != name:
        values["group"] = group
    if room.centre in made.centres.by_number:
        values["centre"] = made.centres.by_number[room.centre]
    for key, text in room.said:
        value = made.checked(f"room {room.title}", key, text)
        if value is not None:
            values[key] = value
    made.add(("rooms", name), values, title_of(room.about, 300))
