# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether PCs are ready for an exam: what is known of the system that they are to start. Pure.

Known is what a PC told when it was last ready. What nobody told is not known, which is said and is
no success.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ognetboot.assigning import times
from ognetboot.assigning.offers import PLACE, wanted
from ognetboot.assigning.setting import Whom, named
from ognetboot.errors import NetbootError
from ognetboot.inventory.entries import Entry, Kind
from ognetboot.inventory.model import Inventory


class Ready(StrEnum):
    """What is known of the system on one PC."""

    READY = "ready"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Told:
    """What a PC told when it was last ready: when, and what is on which `DISK:PARTITION`,
    `IMAGE@VERSION` or the name of a system, empty where that cannot be seen; None: it told nothing
    of its disks."""

    at: datetime
    systems: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """One PC's, with the rest of a sentence."""

    pc: str
    ready: Ready
    why: str


def system_of(inventory: Inventory, to: Whom, words: str) -> dict[str, Entry]:
    """The entry that each PC of the scope is to start; refused where a PC has no such system."""
    found = {each.name: wanted(inventory, each, words) for each in to.clients}
    none = [pc for pc, entry in found.items() if entry is None]
    if not found:
        raise NetbootError(f"{to.scope} has no PC", hint="name a room, a group or a PC that has")
    if none:
        raise NetbootError(
            f"`{words}` is no entry, and nothing says where it is on {named(none)}",
            hint="name it DISK:PARTITION, or declare it in `systems` of the PCs' state, its disk "
            "by number",
        )
    systems = {pc: entry for pc, entry in found.items() if entry is not None}
    wrong = next((entry for entry in systems.values() if entry.kind is not Kind.SYSTEM), None)
    if wrong is not None:
        raise NetbootError(
            f"`{wrong.name}` starts no system of a partition",
            hint="an exam is given one: an entry of kind `system`, DISK:PARTITION, or an image of "
            "the declared state",
        )
    return systems


def image_of(inventory: Inventory, words: str) -> str | None:
    """The image that SYSTEM names; None: it names an entry or a place on a disk."""
    is_image = words not in inventory.known_entries and not PLACE.fullmatch(words)
    return words if is_image else None


def readiness(
    systems: Mapping[str, Entry], image: str | None, told: Mapping[str, Told]
) -> Iterator[Readiness]:
    """Of each PC whether the system (this image, where one is named) is on its disk, as far as it
    told."""
    for pc, entry in systems.items():
        ready, why = _of_one(entry, image, told.get(pc))
        yield Readiness(pc, ready, why)


def _of_one(entry: Entry, image: str | None, told: Told | None) -> tuple[Ready, str]:
    if told is None:
        return Ready.UNKNOWN, "has never told what is on its disk"
    when = times.told(told.at)
    if told.systems is None:
        return Ready.UNKNOWN, f"did not tell what is on its disk when it was last seen, {when}"
    place = f"{entry.disk}:{entry.partition}" if entry.partition else str(entry.disk)
    there = told.systems.get(place)
    if there is None:
        return Ready.ABSENT, f"had no system on {place} on {when}"
    if not there:
        return Ready.UNKNOWN, f"could not see what is on {place} on {when}"
    if image is not None and "@" not in there:
        return Ready.UNKNOWN, f"had {there} on {place} on {when}, and did not tell of which image"
    if image is not None and not _same_image(image, there):
        return Ready.ABSENT, f"had {there} on {place} on {when}"
    return Ready.READY, f"had {there} on {place} on {when}"


def _same_image(image: str, there: str) -> bool:
    return there == image if "@" in image else there.partition("@")[0] == image
