# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the system on a partition to this PC: names, fstab, boot loader; each step is told.

Planning opens the system for reading and asks everything that can be known; the plan is a value.
Applying opens it for writing, looks whether it is still what was planned for, and writes.
"""

from __future__ import annotations

from dataclasses import dataclass

from oglib.boot.grub import GrubPlan, install_grub, plan_grub
from oglib.deploy.partition.checks import check_unused
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.starts import ESP
from oglib.errors import OgErr, OgError, PartitionError
from oglib.filesystem.mount import check_writable, mounted
from oglib.filesystem.probe import probe_filesystem
from oglib.osconfig import linux
from oglib.osconfig.fstab import Known
from oglib.osconfig.opened_system import OpenedSystem, opened_system, why_not_configurable
from oglib.steps import Outcome, Step


@dataclass(frozen=True, slots=True)
class Aim:
    """Which system shall be this PC's own, and as what."""

    disk: Disk
    part: Partition
    hostname: str
    firmware: Firmware


@dataclass(frozen=True, slots=True)
class Configuration:
    """What does that, checked and not yet written."""

    aim: Aim
    linux: linux.OsPlan
    grub: GrubPlan

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps as they are foreseen; one that is certain to fail is failed already."""
        files = tuple(
            Step(edit.name, _foreseen(edit.failed, bool(edit.path)), edit.detail)
            for edit in self.linux.edits
        )
        loader = tuple(Step(edit.name, edit.outcome, edit.detail) for edit in self.grub.edits)
        where = f"partition {self.grub.esp.number}" if self.grub.esp else str(self.aim.disk.path)
        installed = Step(f"GRUB for {self.aim.firmware.upper()}", Outcome.DONE, f"onto {where}")
        return (*files, *loader, installed)


def _foreseen(failed: bool, needed: bool) -> Outcome:
    if failed:
        return Outcome.FAILED
    return Outcome.DONE if needed else Outcome.NOT_NEEDED


def plan_configuration(
    disk: Disk, part: Partition, *, hostname: str = "", firmware: Firmware | None = None
) -> Configuration:
    """What will make the system on ``part`` this PC's own and ``disk`` bootable; only reads.

    ``firmware`` is this PC's own unless it is said. Raises where there is no system to configure,
    where the disk cannot boot, and for whatever else is known to keep this from being done.
    """
    check_unused(disk, part)
    if disk.read_only:
        raise PartitionError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)
    aim = Aim(disk, part, hostname, firmware or running_firmware())
    return _checked(aim, _look(disk, part))


def apply_configuration(plan: Configuration) -> tuple[Step, ...]:
    """Write what was planned, each step told; raises before that where it does not hold any more.

    Opening a filesystem for writing may replay its journal, so it is planned again from what is
    there then, and must come out the same.
    """
    aim = plan.aim
    found = _look(aim.disk, aim.part)
    with opened_system(aim.disk, aim.part, write=True) as system:
        if _plan(system, aim, found) != plan:
            raise OgError(
                f"The system on partition {aim.part.number} of {aim.disk.describe()} is not as "
                "it was when this was planned.",
                hint="Run it again.",
            )
        return linux.apply(system.root, plan.linux) + install_grub(system.root, plan.grub)


def configure(
    disk: Disk, part: Partition, *, hostname: str = "", firmware: Firmware | None = None
) -> tuple[Step, ...]:
    """Plan and apply, for those who ask nobody in between."""
    return apply_configuration(plan_configuration(disk, part, hostname=hostname, firmware=firmware))


@dataclass(frozen=True, slots=True)
class _Found:
    """The filesystems of the disk that the system's files may name."""

    root: Known
    swaps: tuple[Known, ...]
    esp: Known | None
    others: tuple[Known, ...]


def _checked(aim: Aim, found: _Found) -> Configuration:
    """The plan, and that what it writes to can be opened for writing."""
    with opened_system(aim.disk, aim.part) as system:
        plan = _plan(system, aim, found)
    with partition_device(aim.disk, aim.part) as device:
        check_writable(device)
    if plan.grub.esp is not None:
        check_unused(aim.disk, plan.grub.esp)
        with partition_device(aim.disk, plan.grub.esp) as device:
            check_writable(device)
            with mounted(device, kind="vfat"):
                pass  # whether it can be is all that is asked
    return plan


def _plan(opened: OpenedSystem, aim: Aim, found: _Found) -> Configuration:
    if why := why_not_configurable(opened):
        raise OgError(
            f"The system on {opened.root.called} cannot be fitted to this PC: {why}.",
            hint="It is as it was; nothing was written.",
            code=OgErr.NOTOS,
        )
    root = opened.root
    facts = linux.LinuxFacts(
        root=found.root,
        hostname=aim.hostname,
        swaps=found.swaps,
        esp=found.esp,
        others=found.others,
    )
    system = linux.plan_linux(root, facts)
    grub = plan_grub(
        root,
        aim.disk,
        firmware=aim.firmware,
        root_uuid=found.root.uuid,
        swap_uuid=found.swaps[0].uuid if found.swaps else "",
        os_id=system.system.id,
        present=[known.uuid for known in (*found.others, *found.swaps) if known.uuid],
    )
    return Configuration(aim, system, grub)


def _look(disk: Disk, root: Partition) -> _Found:
    known = {part.number: _known(disk, part) for part in disk.partitions}
    swaps = tuple(one for one in known.values() if one.kind == "swap")
    esps = [known[part.number] for part in disk.partitions if part.type == ESP]
    esp = esps[0] if esps else None
    others = tuple(
        one for one in known.values() if one.number != root.number and one.kind not in ("", "swap")
    )
    return _Found(known[root.number], swaps, esp, others)


def _known(disk: Disk, part: Partition) -> Known:
    """Read from the device itself: what udev remembers may be older than the restore."""
    if part.type == "EXTENDED":
        return Known(kind="", uuid="", number=part.number)
    with partition_device(disk, part) as device:
        info = probe_filesystem(device)
    return Known(
        kind=info.kind,
        uuid=info.uuid,
        label=info.label,
        partuuid=part.partuuid,
        partlabel=part.name,
        number=part.number,
    )
