# SPDX-License-Identifier: GPL-3.0-or-later
"""``og inventory hardware|software|os``."""

from __future__ import annotations

import argparse

from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.deploy.examine import HardwareFound, OsFound, SoftwareFound, examined
from oglib.deploy.jobs import Inventory
from oglib.inventory import software
from oglib.inventory.hardware import Hardware, module_text
from oglib.progress import human_bytes
from oglib.views.output import plain, table


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "inventory", "what this PC consists of and what is installed on it")
    verb(verbs, "hardware", _hardware, "processor, memory, disks, cards")
    _add_target(verb(verbs, "os", _os, "which system is on a partition"))
    _add_target(verb(verbs, "software", _software, "which programs are installed there"))


def _add_target(parser: argparse.ArgumentParser) -> None:
    add_disk(parser)
    add_partition(parser)


def _hardware(context: Context) -> Result:
    found = examined(Inventory("hardware"), context.settings)
    assert isinstance(found, HardwareFound)  # noqa: S101 - for the type checker
    for note in found.notes:
        context.warn(note)
    return Result(plain(found.hardware), table(_rows(found.hardware)))


def _rows(hardware: Hardware) -> list[tuple[str, str]]:
    cpu = hardware.cpu
    links = [
        f"{one.name} {one.mac} {one.driver} "
        + (f"{one.speed_mbps} Mbit/s" if one.speed_mbps else "link" if one.has_link else "no link")
        for one in hardware.interfaces
    ]
    columns: list[tuple[str, list[str]]] = [
        ("model", [hardware.model]),
        ("serial", [hardware.serial]),
        ("chassis", [hardware.chassis]),
        ("virtual", [hardware.virtual_machine]),
        ("firmware", [f"{hardware.firmware} {hardware.bios}".strip()]),
        ("board", [hardware.board]),
        ("cpu", [f"{cpu.model}, {cpu.cores} cores, {cpu.threads} threads"]),
        ("memory", [human_bytes(hardware.memory_bytes) if hardware.memory_bytes else ""]),
        ("module", [module_text(one) for one in hardware.memory]),
        *(
            (word, [device.name for device in found])
            for word, found in (
                ("ide", hardware.ide),
                ("storage", hardware.storage),
                ("disk", hardware.disks),
                ("cd", hardware.cdroms),
                ("display", hardware.display),
                ("network", hardware.network),
            )
        ),
        ("interface", links),
        *(
            (word, [device.name for device in found])
            for word, found in (
                ("multimedia", hardware.multimedia),
                ("usb", hardware.usb),
                ("firewire", hardware.firewire),
                ("bus", hardware.bus),
            )
        ),
    ]
    return [(word, text) for word, texts in columns for text in texts if text]


def _os(context: Context) -> Result:
    found = examined(Inventory("os", context.args.disk, context.args.part), context.settings)
    assert isinstance(found, OsFound)  # noqa: S101 - for the type checker
    for note in found.notes:
        context.warn(note)
    system, uuid = found.system, found.uuid
    rows = [("type", system.kind), ("version", system.full_description), ("uuid", uuid or "-")]
    data = {
        "type": system.kind,
        "description": system.description,
        "64_bits": system.is_64_bits,
        "uuid": uuid,
        "note": system.note,
    }
    return Result(data, table(rows))


def _software(context: Context) -> Result:
    found = examined(Inventory("software", context.args.disk, context.args.part), context.settings)
    assert isinstance(found, SoftwareFound)  # noqa: S101 - for the type checker
    for note in (*found.system_notes, *found.notes):
        context.warn(note)
    packages = plain(found.software.packages)
    data = {"os": found.system.text, "packages": packages, "notes": list(found.notes)}
    return Result(data, software.listing(found.system, found.software))
