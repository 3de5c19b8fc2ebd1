# SPDX-License-Identifier: GPL-3.0-or-later
"""What a foreign inventory says, in its own words, before any of it was judged.

Numbers are those by which its tables refer to each other; an empty text says nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BroughtCentre:
    """A centre, or organisational unit."""

    number: str
    title: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class BroughtRoom:
    """A room; `said` are choices of ours by their names, as texts that are yet to be checked."""

    number: str
    title: str
    centre: str = ""
    about: str = ""
    said: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BroughtGroup:
    """A group of PCs; `within`: the number of the one around it."""

    number: str
    title: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class BroughtPc:
    """A PC; `place` says where it was read, for a person."""

    place: str
    name: str
    mac: str = ""
    ip: str = ""
    uuid: str = ""
    serial: str = ""
    room: str = ""
    group: str = ""
    hardware: str = ""
    repository: str = ""
    entry: str = ""
    firmware: str = ""
    teacher: bool = False


@dataclass(slots=True)
class Brought:
    """All of it; `server` and `repository` are addresses. `lost` counts what cannot be taken;
    `notes` say what a person must look at first."""

    source: str
    title: str = ""
    unit_folders: bool = False
    server: str = ""
    repository: str = ""
    centres: list[BroughtCentre] = field(default_factory=list)
    rooms: list[BroughtRoom] = field(default_factory=list)
    groups: list[BroughtGroup] = field(default_factory=list)
    pcs: list[BroughtPc] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
