# SPDX-License-Identifier: GPL-3.0-or-later
"""What this PC consists of, which system is on a partition and what is installed; reads only."""

from __future__ import annotations

from dataclasses import dataclass

from oglib.deploy.jobs import Inventory
from oglib.disk.find import find_disk, find_partition
from oglib.disk.model import Disk, Partition
from oglib.errors import OgErr, OgError
from oglib.inventory import software
from oglib.inventory.hardware import Hardware, read_hardware
from oglib.inventory.software import Software
from oglib.inventory.system import System, identify, system_uuid
from oglib.osconfig.opened_system import OpenedSystem, opened_system
from oglib.settings import Settings


@dataclass(frozen=True, slots=True)
class OsInventory:
    """The system on a partition; ``uuid`` is that of its root."""

    system: System
    uuid: str

    @property
    def notes(self) -> tuple[str, ...]:
        return (self.system.note,) if self.system.note else ()

    @property
    def sentence(self) -> str:
        return f"Found: {self.system.full_description}"


@dataclass(frozen=True, slots=True)
class SoftwareInventory:
    """What is installed; ``notes``: what could not be read of it."""

    system: System
    software: Software
    notes: tuple[str, ...]

    @property
    def system_notes(self) -> tuple[str, ...]:
        return (self.system.note,) if self.system.note else ()

    @property
    def sentence(self) -> str:
        return f"Found: {len(self.software.packages)} packages of {self.system.full_description}"


@dataclass(frozen=True, slots=True)
class HardwareInventory:
    """What this PC consists of."""

    hardware: Hardware

    @property
    def notes(self) -> tuple[str, ...]:
        return self.hardware.notes

    @property
    def sentence(self) -> str:
        return f"Found: {self.hardware.model or 'a PC that does not say its model'}"


InventoryResult = HardwareInventory | OsInventory | SoftwareInventory


def examined(job: Inventory, settings: Settings) -> InventoryResult:
    """The answer; NOTOS where no system is known on the partition."""
    if job.what == "hardware":
        return HardwareInventory(read_hardware())
    disk = find_disk(job.disk, rules=settings.disk_rules)
    part = find_partition(disk, job.part)
    with opened_system(disk, part) as opened:
        system = _known(opened, disk, part)
        if job.what == "os":
            return OsInventory(system, system_uuid(opened.root, system, part.uuid) or "")
        found = software.installed(opened.root, system)
        return SoftwareInventory(system, found, (*opened.notes, *found.notes))


def _known(opened: OpenedSystem, disk: Disk, part: Partition) -> System:
    system = identify(opened.root)
    if system is None:
        raise OgError(
            f"No operating system is known on partition {part.number} of {disk.path}.",
            code=OgErr.NOTOS,
        )
    return system
