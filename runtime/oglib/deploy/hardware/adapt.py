# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapt the system on a partition to other hardware: to this PC's disk, or to any PC.

Planned on the system opened for reading, done on the same opened for writing, if it still is as it
was. A disk file can be adapted to any PC; what drives this PC's disk says nothing of one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from oglib.deploy.again import OtherSystemError
from oglib.deploy.hardware.rebuild import INITRAMFS, HardwareFacts
from oglib.deploy.hardware.required import ANYWHERE, RootHardware
from oglib.deploy.partition.checks import check_unused
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.probing.drivers import Driver, drivers_of
from oglib.errors import OgErr, OgError, PartitionError, UsageError
from oglib.filesystem.mount import check_writable
from oglib.fitting import fittings as fitting
from oglib.fitting.fittings import CheckedFitting, Fitting, Need
from oglib.fitting.steps import Step, closed
from oglib.osconfig.filesystems import known_on
from oglib.osconfig.kinds import LINUX, find_system
from oglib.osconfig.opened_system import OpenedSystem, opened_system

# What adapts each kind of system to other hardware.
FITTINGS: dict[str, tuple[Fitting[HardwareFacts], ...]] = {LINUX: (INITRAMFS,)}


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What will be done to the system on ``part``, checked and not yet done."""

    disk: Disk
    part: Partition
    planned: tuple[CheckedFitting[HardwareFacts], ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """As they are foreseen; one that is certain to fail has failed already."""
        return tuple(one.foreseen for one in self.planned)

    @property
    def diff(self) -> bytes:
        """What changes in files of words; an initramfs is none."""
        return b"".join(one.diff for one in self.planned)


def hardware_here(disk: Disk, kind: str, swap_uuids: Sequence[str]) -> HardwareFacts:
    """This PC's: what drives ``disk``, and the root's filesystem, blkid's ``kind``.

    Of a disk file nothing but the filesystem is known.
    """
    drivers: dict[Driver, None] = {}
    unknown = ""
    try:
        for path in map(Path, disk.members or (disk.path,)):
            drivers.update(dict.fromkeys(drivers_of(path)))
    except OgError as error:
        unknown = error.message
    whose = "this PC's disk" if drivers else "the disk file" if _is_file(disk) else "this disk"
    return HardwareFacts(RootHardware(kind, tuple(drivers)), whose, _resume(swap_uuids), unknown)


def check_all(
    system: OpenedSystem, facts: HardwareFacts, only: Collection[str] = ()
) -> tuple[CheckedFitting[HardwareFacts], ...]:
    """What adapts this kind of system, checked; ``only``: these steps, empty for all."""
    found = find_system(system.root)
    fittings = FITTINGS.get(found.kind, ()) if found else ()
    return fitting.check_all(system.files, facts, fitting.chosen(fittings, only))


def plan_adaptation(disk: Disk, part: Partition, *, anywhere: bool) -> Adaptation:
    """What will adapt the system on ``part``; only reads. Raises where that cannot be."""
    check_unused(disk, part)
    if disk.read_only:
        raise PartitionError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)
    if not anywhere and _is_file(disk):
        raise UsageError(
            f"{disk.path} is a file, so this PC's hardware is not what its system will find.",
            hint="Adapt it to any PC: `--for any`.",
        )
    swaps = _swaps(disk)
    with opened_system(disk, part) as system:
        if anywhere:
            hardware = RootHardware(system.kind, modules=ANYWHERE)
            facts = HardwareFacts(hardware, "any PC", _resume(swaps))
        else:
            facts = hardware_here(disk, system.kind, swaps)
        plan = Adaptation(disk, part, check_all(system, facts))
        if not plan.planned:
            raise _not_adapted(system)
        written = [(disk, part), *((one.disk, one.part) for one in system.parts)]
    for on, one in written:
        with partition_device(on, one) as device:
            check_writable(device)
    return plan


def apply_adaptation(plan: Adaptation) -> tuple[Step, ...]:
    """Do what was planned; raises before the first write where it does not hold any more.

    Where there is nothing to do, or nothing that can be done, nothing is opened for writing.
    """
    if all(one.checked.need is not Need.NEEDED for one in plan.planned):
        return plan.steps
    steps: tuple[Step, ...] = ()
    try:
        with opened_system(plan.disk, plan.part, write=True) as system:
            facts = plan.planned[0].facts
            if check_all(system, facts) != plan.planned:
                raise OtherSystemError(
                    f"The system on {system.root.called} is not as it was when this was planned.",
                    hint="Run it again.",
                )
            steps = tuple(one.done(system.files) for one in plan.planned)
    except OgError as error:
        return closed(steps, error)
    return steps


def _not_adapted(system: OpenedSystem) -> OgError:
    found = find_system(system.root)
    only = f"only a {' or a '.join(FITTINGS)} is"
    why = f"it holds {found.name}, and {only}" if found else "no system is known on it"
    return OgError(
        f"The system on {system.root.called} cannot be adapted to other hardware: {why}.",
        hint="It is as it was; nothing was written.",
        code=OgErr.NOTOS,
    )


def _swaps(disk: Disk) -> tuple[str, ...]:
    """The UUIDs of swap on the disk, as it is now."""
    return tuple(one.uuid for one in known_on(disk).values() if one.kind == "swap" and one.uuid)


def _resume(swap_uuids: Sequence[str]) -> str:
    return f"UUID={swap_uuids[0]}" if swap_uuids else "none"


def _is_file(disk: Disk) -> bool:
    return disk.path.is_file()
