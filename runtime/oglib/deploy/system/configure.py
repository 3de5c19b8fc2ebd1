# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the system on a partition to this PC: names, fstab, boot loader; each step is told.

Planning opens the system for reading and asks everything that can be known; the plan is a value.
Applying opens it for writing, looks whether it is still what was planned for, and writes.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from oglib.boot import fittings as boot
from oglib.boot.esp import esp_of
from oglib.boot.facts import BootFacts, part_label
from oglib.deploy.again import OtherSystemError
from oglib.deploy.hardware import adapt as hardware
from oglib.deploy.hardware.rebuild import HardwareFacts
from oglib.deploy.partition.checks import check_unused
from oglib.deploy.system import pc
from oglib.deploy.system.starting import refuse_unsure, starting_disk
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, DiskKind, Partition
from oglib.disk.probe import list_disks
from oglib.disk.starts import ESP
from oglib.errors import OgErr, OgError, PartitionError, UsageError
from oglib.filesystem.mount import check_writable
from oglib.fitting.devices import SWAP
from oglib.fitting.edits import Files
from oglib.fitting.fittings import CheckedFitting, Fitting, Need, check_all, chosen
from oglib.fitting.steps import Step, closed
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.filesystems import elsewhere, known_on
from oglib.osconfig.fitted import FITTINGS, LAST, how_proven, why_not_fitted
from oglib.osconfig.kinds import OperatingSystem, find_system
from oglib.osconfig.opened_system import OpenedSystem, opened_system
from oglib.osconfig.site_steps import SiteStep, site_steps
from oglib.settings import Settings


@dataclass(frozen=True, slots=True)
class Aim:
    """Which system shall be this PC's own, and as what. ``only``: these steps; empty for all.

    ``start``: the disk that starts it; None where that is not sure. ``settings``: what this boot
    and the site say.
    """

    disk: Disk
    part: Partition
    hostname: str
    firmware: Firmware
    start: Disk | None
    only: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What does that, checked and not yet written.

    The system's own files, what it finds its root with on this hardware, and what starts it.
    ``last``: what needs the names of files as they were, or knows what else is written, and the
    site's own steps. ``notes``: what a person should know beside the steps, a sentence each.
    """

    aim: Aim
    files: tuple[CheckedFitting[PcFacts], ...]
    hardware: tuple[CheckedFitting[HardwareFacts], ...]
    start: tuple[CheckedFitting[BootFacts], ...]
    last: tuple[CheckedFitting[PcFacts], ...]
    notes: tuple[str, ...] = ()

    @property
    def planned(
        self,
    ) -> tuple[
        CheckedFitting[PcFacts] | CheckedFitting[HardwareFacts] | CheckedFitting[BootFacts], ...
    ]:
        return (*self.files, *self.hardware, *self.start, *self.last)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps as they are foreseen; one that is certain to fail is failed already."""
        return tuple(one.foreseen for one in self.planned)

    @property
    def is_needed(self) -> bool:
        """Whether there is anything that will be done."""
        return any(one.checked.need is Need.NEEDED for one in self.planned)

    @property
    def settled(self) -> Configuration:
        """Without what a program of the site's says in words of its own, which may vary."""
        return replace(self, last=tuple(map(_settled, self.last)))

    def done(self, root: Files) -> tuple[Step, ...]:
        """Do it on the same root, opened for writing; a step that fails does not stop the next."""
        return tuple(one.done(root) for one in self.planned)

    @property
    def diff(self) -> bytes:
        """All that will change in files of the system, as a unified diff."""
        return b"".join(one.diff for one in self.planned)


def _settled(fitting: CheckedFitting[PcFacts]) -> CheckedFitting[PcFacts]:
    own = isinstance(fitting.fitting, SiteStep)
    return replace(fitting, checked=replace(fitting.checked, detail="")) if own else fitting


def plan_configuration(
    disk: Disk,
    part: Partition,
    *,
    hostname: str = "",
    firmware: Firmware | None = None,
    only: Collection[str] = (),
    settings: Settings | None = None,
) -> Configuration:
    """What will make the system on ``part`` this PC's own and ``disk`` bootable; only reads.

    ``firmware`` is this PC's own unless it is said; ``only`` names steps, all others are left out,
    and what they alone would need is not asked; ``settings``: what this boot and the site say.
    Raises where there is no system to configure, where the disk cannot boot, and for whatever else
    is known to keep this from being done.
    """
    check_unused(disk, part)
    if disk.read_only:
        raise PartitionError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)
    here = firmware or running_firmware()
    start = starting_disk(disk, list_disks() if disk.kind is DiskKind.LVM else (), here)
    aim = Aim(disk, part, hostname, here, start, tuple(only), settings or Settings())
    return _checked(aim, _pc_facts(aim))


def apply_configuration(plan: Configuration) -> tuple[Step, ...]:
    """Write what was planned, each step told; raises before that where it does not hold any more.

    Opening a filesystem for writing may replay its journal, so it is planned again from what is
    there then, and must come out the same (else OtherSystemError). Where no step is needed nothing
    is opened for writing.
    """
    if not plan.is_needed:
        return plan.steps
    aim = plan.aim
    facts = _pc_facts(aim)
    steps: tuple[Step, ...] = ()
    try:
        with (
            held(aim.start) if aim.start and aim.start != aim.disk else nullcontext(),
            opened_system(aim.disk, aim.part, write=True) as system,
        ):
            now = _plan(system, aim, facts)
            _refuse_changed(plan, now)
            steps = now.done(system.files)
    except OgError as error:
        return closed(steps, error)
    return steps


def _refuse_changed(plan: Configuration, now: Configuration) -> None:
    """Raise unless the same is to be done; what a site's step says of it may vary."""
    if now.settled == plan.settled:
        return
    pairs = zip(plan.settled.planned, now.settled.planned, strict=False)
    name = next((new.fitting.name for old, new in pairs if old != new), "")
    why = f": the step {name} has another answer now" if name else ""
    raise OtherSystemError(
        f"The system on partition {plan.aim.part.number} of {plan.aim.disk.describe()} is not as "
        f"it was when this was planned{why}.",
        hint="Run it again.",
    )


def _checked(aim: Aim, facts: PcFacts) -> Configuration:
    """The plan, and that what it writes to can be opened for writing."""
    with opened_system(aim.disk, aim.part) as system:
        plan = _plan(system, aim, facts)
        parts = [(one.disk, one.part) for one in system.parts if one.point != "/home"]
    for disk, part in ((aim.disk, aim.part), *parts):
        with partition_device(disk, part) as device:
            check_writable(device)
    if plan.start and aim.start and aim.firmware is Firmware.UEFI:
        check_unused(aim.start, esp_of(aim.start))
    return plan


def _plan(opened: OpenedSystem, aim: Aim, facts: PcFacts) -> Configuration:
    system = find_system(opened.root)
    why = why_not_fitted(opened)
    if why or system is None:
        raise OgError(
            f"The system on {opened.root.called} cannot be fitted to this PC: {why}.",
            hint="It is as it was; nothing was written.",
            code=OgErr.NOTOS,
        )
    _check_names(aim, system)
    start = chosen(boot.FITTINGS[aim.firmware], aim.only)
    facts = replace(facts, subvolumes=opened.subvolumes)
    files = check_all(opened.files, facts, chosen(FITTINGS[system.kind], aim.only))
    swaps = [one.uuid for one in facts.swaps if one.uuid]
    here = hardware.hardware_here(aim.disk, opened.kind, swaps)
    adapted = hardware.check_all(opened, here, aim.only)
    starting: tuple[CheckedFitting[BootFacts], ...] = ()
    if start:
        disk = refuse_unsure(aim.disk, aim.start)
        boot.check(opened.files, disk, aim.firmware)
        found = _boot(aim, disk, system, facts, opened)
        starting = check_all(opened.files, found, start)
    checks = (*(one.checked for one in files), *(one.checked for one in starting))
    changes = [change for checked in checks for change in checked.edits]
    facts = replace(facts, new_files=tuple(one.path for one in changes if one.is_new))
    last = check_all(opened.files, facts, chosen(_last(aim, system), aim.only))
    return Configuration(aim, files, adapted, starting, last, how_proven(system))


def _last(aim: Aim, system: OperatingSystem) -> tuple[Fitting[PcFacts], ...]:
    return (*LAST[system.kind], *site_steps(aim.settings.steps_dir))


def _check_names(aim: Aim, system: OperatingSystem) -> None:
    files, start = FITTINGS[system.kind], boot.FITTINGS[aim.firmware]
    adapted, last = hardware.FITTINGS.get(system.kind, ()), _last(aim, system)
    known = [one.name for group in (files, adapted, start, last) for one in group]
    unknown = [name for name in aim.only if name not in known]
    if unknown:
        raise UsageError(
            f"There is no step {unknown[0]!r} for a {system.kind} that "
            f"{aim.firmware.upper()} starts.",
            hint=f"There are {', '.join(known)}.",
        )


def _boot(
    aim: Aim, disk: Disk, system: OperatingSystem, facts: PcFacts, opened: OpenedSystem
) -> BootFacts:
    apart = opened.boot
    boot_on = known_on(apart.disk)[apart.part.number] if apart else None
    if apart and boot_on and apart.disk.path not in (aim.disk.path, disk.path):
        boot_on = replace(boot_on, number=0)
    return BootFacts(
        disk=disk,
        firmware=aim.firmware,
        os_id=system.id,
        root=facts.root,
        swaps=facts.swaps,
        others=tuple(one for one in facts.present if one not in (facts.root, *facts.swaps)),
        boot=boot_on,
        subvolume=opened.subvolume,
        place=part_label(aim.disk.number, aim.part.number),
        network_first=aim.settings.network_first,
    )


def _pc_facts(aim: Aim) -> PcFacts:
    """The name of this PC, and its filesystems that the system's files may name."""
    known = known_on(aim.disk)
    root = known.pop(aim.part.number)
    start = aim.start or aim.disk
    below = known if start == aim.disk else known_on(start)
    swaps = tuple(one for one in known.values() if one.kind == SWAP)
    esps = [below[one.number] for one in start.partitions if one.type == ESP and one != aim.part]
    here = {**dict.fromkeys(known.values()), **dict.fromkeys(below.values())}
    away = (one for disk, _, one in elsewhere(aim.disk) if disk.path != start.path)
    others = tuple(one for one in (*here, *away) if one.kind and one not in swaps)
    return PcFacts(
        root=root,
        hostname=aim.hostname,
        swaps=swaps,
        esp=esps[0] if esps else None,
        others=others,
        nics=pc.nics(aim.settings.interface),
        disk_id=pc.disk_id(start),
        policy=aim.settings.fitting,
    )
