# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges PCs that wait: what each would be in the inventory, and what stands against it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ognetboot.hearing.waiting import Registration
from ognetboot.inventory import checks
from ognetboot.inventory.editing import NewTable
from ognetboot.inventory.model import Firmware, Inventory
from ognetboot.inventory.scopes import rooms_called

_FIRMWARE = {"efi": Firmware.UEFI, "pcbios": Firmware.BIOS}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One PC as it would be taken: `against` says what forbids it, a sentence each."""

    registration: Registration
    name: str
    room: str | None
    against: tuple[str, ...]
    shared: bool

    @property
    def table(self) -> NewTable:
        """Its table in the inventory. A MAC that PCs share is not in it."""
        claim = self.registration.claim
        firmware = _FIRMWARE.get(self.registration.word("platform"))
        values = {
            "mac": "" if self.shared else claim.mac,
            "name": self.name,
            "room": self.room or "",
            "uuid": claim.uuid,
            "serial": claim.serial,
            "firmware": str(firmware or ""),
        }
        return NewTable(("clients",), {key: value for key, value in values.items() if value})


def candidates(
    inventory: Inventory, waiting: Iterable[Registration], *, name: str = "", room: str = ""
) -> tuple[Candidate, ...]:
    """Each of them; `name` and `room` are an administrator's, before what was typed at the PC."""
    them = [(one, name or one.word("name"), room or one.word("room")) for one in waiting]
    names = Counter(called.lower() for _, called, _ in them)
    uuids = Counter(one.claim.uuid for one, _, _ in them if one.claim.uuid)
    found = []
    for one, called, where in them:
        shared = one.claim.mac in inventory.adapters
        place = room_of(inventory, where)
        against = [*_against_name(inventory, called), *_against_identity(inventory, one, shared)]
        if called and names[called.lower()] > 1:
            against.append(f"another PC that waits wants the name {called}, too")
        if uuids[one.claim.uuid] > 1:
            against.append("another PC that waits tells the same UUID")
        if where and place is None:
            against.append(f"there is no room {where!r}: name one with --room")
        found.append(Candidate(one, called, place, tuple(against), shared))
    return tuple(found)


def is_there(inventory: Inventory, one: Candidate) -> bool:
    """Whether the inventory has this very PC under this name: it was taken before."""
    claim = one.registration.claim
    return any(
        client.name == one.name
        and ((not one.shared and claim.mac in client.macs) or bool(claim.uuid == client.uuid != ""))
        for client in inventory.clients
    )


def room_of(inventory: Inventory, text: str) -> str | None:
    """The room that a person means, by its name or its title; None: none, or several."""
    found = rooms_called(inventory, text)
    return found[0] if len(found) == 1 else None


def _against_name(inventory: Inventory, name: str) -> Iterator[str]:
    if not name:
        yield "it has no name: give it one with --name"
        return
    try:
        checks.hostname(name)
    except ValueError as error:
        yield f"{error}: give it another one with --name"
        return
    if any(client.name.lower() == name.lower() for client in inventory.clients):
        yield f"the name {name} is taken already: give it another one with --name"


def _against_identity(inventory: Inventory, one: Registration, shared: bool) -> Iterator[str]:
    mac, uuid = one.claim.mac, one.claim.uuid
    for client in inventory.clients:
        if mac and not shared and mac in client.macs:
            yield f"its MAC {mac} is that of {client.name}"
        if uuid and uuid == client.uuid:
            yield f"its UUID is that of {client.name}: is this another network card of it?"
    if not uuid and (shared or not mac):
        yield "it has no UUID, and no network card of its own: nothing would tell it from others"
