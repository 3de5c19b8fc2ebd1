# SPDX-License-Identifier: GPL-3.0-or-later
"""``og inventory hardware|software|os|systems``."""

from __future__ import annotations

import argparse

from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.deploy.examine import HardwareInventory, OsInventory, SoftwareInventory, examined
from oglib.deploy.jobs import Inventory
from oglib.deploy.standing import standing_systems
from oglib.inventory import software
from oglib.views.inventory import hardware_text, system_text
from oglib.views.output import plain, table


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "inventory", "what this PC consists of and what is installed on it")
    verb(verbs, "hardware", _hardware, "processor, memory, disks, cards")
    _add_target(verb(verbs, "os", _os, "which system is on a partition"))
    _add_target(verb(verbs, "software", _software, "which programs are installed there"))
    verb(verbs, "systems", _systems, "which systems are on the disks, DISK:PARTITION and name")


def _add_target(parser: argparse.ArgumentParser) -> None:
    add_disk(parser)
    add_partition(parser)


def _hardware(context: Context) -> Result:
    found = examined(Inventory("hardware"), context.settings)
    assert isinstance(found, HardwareInventory)  # noqa: S101 - for the type checker
    for note in found.notes:
        context.warn(note)
    return Result(plain(found.hardware), hardware_text(found.hardware))


def _os(context: Context) -> Result:
    found = examined(Inventory("os", context.args.disk, context.args.part), context.settings)
    assert isinstance(found, OsInventory)  # noqa: S101 - for the type checker
    for note in found.notes:
        context.warn(note)
    system, uuid = found.system, found.uuid
    data = {
        "type": system.kind,
        "description": system.description,
        "64_bits": system.is_64_bits,
        "uuid": uuid,
        "note": system.note,
    }
    return Result(data, system_text(system, uuid))


def _software(context: Context) -> Result:
    found = examined(Inventory("software", context.args.disk, context.args.part), context.settings)
    assert isinstance(found, SoftwareInventory)  # noqa: S101 - for the type checker
    for note in (*found.system_notes, *found.notes):
        context.warn(note)
    packages = plain(found.software.packages)
    data = {"os": found.system.text, "packages": packages, "notes": list(found.notes)}
    return Result(data, software.listing(found.system, found.software))


def _systems(_context: Context) -> Result:
    """A row for each; ``?``: what is there cannot be seen."""
    found = standing_systems()
    rows = [(f"{one.disk}:{one.partition}", one.system or "?") for one in found]
    return Result(plain(found), table(rows))
