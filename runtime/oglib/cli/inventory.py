# SPDX-License-Identifier: GPL-3.0-or-later
"""``og inventory hardware|software|os``."""

from __future__ import annotations

import argparse

from oglib.amounts import human_bytes
from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.disk.find import find_partition
from oglib.disk.model import Disk, Partition
from oglib.errors import OgErr, OgError
from oglib.inventory import software
from oglib.inventory.hardware import Hardware, module_text, read_hardware
from oglib.inventory.system import System, identify, system_uuid
from oglib.osconfig.opened_system import opened_system
from oglib.osconfig.root import TargetRoot
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
    hardware = read_hardware()
    for note in hardware.notes:
        context.warn(note)
    return Result(plain(hardware), table(_rows(hardware)))


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
    disk, part = _target(context)
    with opened_system(disk, part) as opened:
        system = _known(context, disk, part, opened.root)
        uuid = system_uuid(opened.root, system, part.uuid)
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
    disk, part = _target(context)
    with opened_system(disk, part) as opened:
        system = _known(context, disk, part, opened.root)
        found = software.installed(opened.root, system)
    notes = [*opened.notes, *found.notes]
    for note in notes:
        context.warn(note)
    data = {"os": system.text, "packages": plain(found.packages), "notes": notes}
    return Result(data, software.listing(system, found))


def _target(context: Context) -> tuple[Disk, Partition]:
    disk = context.disk()
    return disk, find_partition(disk, context.args.part)


def _known(context: Context, disk: Disk, part: Partition, root: TargetRoot) -> System:
    system = identify(root)
    if system is None:
        raise OgError(
            f"No operating system is known on partition {part.number} of {disk.path}.",
            code=OgErr.NOTOS,
        )
    if system.note:
        context.warn(system.note)
    return system
