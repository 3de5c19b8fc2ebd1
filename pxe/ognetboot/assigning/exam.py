# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether PCs are ready for an exam: what is known of the system that they are to start. Pure.

Known is what a PC told when it was last ready. What nobody told is not known, which is said and is
no success.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ognetboot.assigning import times
from ognetboot.assigning.offers import PLACE, wanted
from ognetboot.assigning.setting import Whom, named
from ognetboot.errors import NetbootError
from ognetboot.inventory.entries import Entry, Kind
from ognetboot.inventory.model import Inventory

# A line names so many PCs and counts the rest.
_MOST_PCS = 100
_LOOK = "Start ogLive once there, for it tells what is on the disk"
_RESTORE = "Restore the image there before the exam begins"


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
    """One PC's, with the rest of a sentence; `at`: when it told that; `hint`: what to do."""

    pc: str
    ready: Ready
    why: str
    at: datetime | None = None
    hint: str = ""


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
        one = told.get(pc)
        ready, why, hint = _of_one(entry, image, one)
        yield Readiness(pc, ready, why, one.at if one else None, hint)


def _of_one(entry: Entry, image: str | None, told: Told | None) -> tuple[Ready, str, str]:
    if told is None:
        return Ready.UNKNOWN, "never told what is on the disk", _LOOK
    if told.systems is None:
        return Ready.UNKNOWN, "did not tell what is on the disk when last seen", _LOOK
    place = f"{entry.disk}:{entry.partition}" if entry.partition else str(entry.disk)
    there = told.systems.get(place)
    if there is None:
        return Ready.ABSENT, f"had no system on {place}", _RESTORE
    if not there:
        return Ready.UNKNOWN, f"could not see what is on {place}", _LOOK
    had = f"had {there} on {place}"
    if image is not None and "@" not in there:
        return Ready.UNKNOWN, f"{had}, and did not tell of which image", _RESTORE
    if image is not None and not _same_image(image, there):
        return Ready.ABSENT, had, _RESTORE
    return Ready.READY, had, ""


def _same_image(image: str, there: str) -> bool:
    return there == image if "@" in image else there.partition("@")[0] == image


def grouped(found: Sequence[Readiness]) -> Iterator[str]:
    """A line for each reason why PCs are not ready, or not known to be, with all of them and what
    to do."""
    groups: dict[tuple[Ready, str, str], list[Readiness]] = {}
    for each in found:
        groups.setdefault((each.ready, each.why, each.hint), []).append(each)
    for ready, title in ((Ready.ABSENT, "not ready"), (Ready.UNKNOWN, "not known")):
        for (state, why, hint), pcs in groups.items():
            if state is ready:
                names = named((each.pc for each in pcs), most=_MOST_PCS)
                yield f"{title}: {names} {why}{_when(pcs)}. {hint}."


def _when(pcs: Sequence[Readiness]) -> str:
    """When they told it: the day and time of one, or from when to when."""
    at = sorted(each.at for each in pcs if each.at is not None)
    if not at:
        return ""
    first, last = times.told(at[0]), times.told(at[-1])
    return f" on {first}" if first == last else f", told from {first} to {last}"
