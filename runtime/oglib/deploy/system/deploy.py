# SPDX-License-Identifier: GPL-3.0-or-later
"""From a blank disk to a PC's own system: partition, restore, grow, configure, in that order.

``plan`` asks everything that can be known before the first write: the image's signature and sector
size, the layout against the disk, who uses or has locked it, the target's size, the table against
the firmware, what this ogLive can mount, make and install, and whether the image holds a system
that can be fitted. ``deploy`` does that plan and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from oglib.boot.firmware import check_table
from oglib.boot.grub import check_tools
from oglib.deploy import receipts, saying
from oglib.deploy.itself import refuse_itself
from oglib.deploy.opening.memory import Memory
from oglib.deploy.opening.reference import refuse_cut
from oglib.deploy.partition.checks import (
    Wishes,
    check_firmware,
    check_free,
    check_restorable,
    check_unused,
    kind_of_image,
    planned_view,
)
from oglib.deploy.system.configure import apply_configuration, plan_configuration
from oglib.deploy.system.fittable import not_fitted
from oglib.deploy.whole_disk.boot_bytes import disarm
from oglib.disk.find import find_disk, find_partition
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.planning.layout import Layout, load_layout, parse_layout
from oglib.disk.planning.old_layouts import (
    is_configurar,
    is_old_list,
    layout_from_old,
    parse_configurar,
)
from oglib.disk.planning.plan import plan_layout
from oglib.disk.planning.planned import Planned, TablePlan
from oglib.disk.starts import ESP
from oglib.disk.writing.table import apply_table, refuse_changed
from oglib.errors import FilesystemError, NotFoundError, OgError, PartitionError, UsageError
from oglib.filesystem.kind import Family
from oglib.filesystem.kinds import USUAL_FOR_TYPE, family_probed
from oglib.filesystem.make import check_makeable, format_filesystem, make_swap
from oglib.filesystem.mount import check_mountable
from oglib.filesystem.resize import grow_filesystem
from oglib.image.any import Image, titled
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore import restore
from oglib.nearest import meant
from oglib.osconfig.linux.mounts import wanted_swap_uuid
from oglib.osconfig.linux.names import check_hostname
from oglib.osconfig.opened_system import opened_root
from oglib.progress import Progress, Task
from oglib.settings import NAME_PART, Settings
from oglib.steps import Outcome, Step
from oglib.transfer.client import StatusError
from oglib.transfer.repository import RepositoryClient

_PARTITION, _FILL, _FIT = "partition the disk", "fill the partition", "fit the system to this PC"
_USUAL_LAYOUTS = ("uefi", "bios")  # which every repository is made with


@dataclass(frozen=True, slots=True)
class Request:
    """One deployment as asked for. ``layout`` is a file, a name in the repository, or empty."""

    image: str
    disk: str
    part: str
    layout: str = ""
    hostname: str = ""
    read_back: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment will do, checked against image, disk, firmware and this ogLive.

    ``not_fitted``: why the system will be restored and not fitted to this PC; empty where it will.
    ``title``: what comes onto what, in a sentence. ``system``: as the image names it; may be empty.
    """

    request: Request
    image: str
    disk: Disk
    number: int
    firmware: Firmware
    table: TablePlan | None
    not_fitted: str
    warnings: tuple[str, ...]
    title: str
    system: str

    @property
    def steps(self) -> tuple[str, ...]:
        """What will be done, in its order, for whoever watches."""
        return (
            *((_PARTITION,) if self.table else ()),
            f"restore {self.image}",
            _FILL,
            *(_making(one) for one in self.made),
            *(() if self.not_fitted else (_FIT,)),
        )

    @property
    def made(self) -> tuple[Planned, ...]:
        """ESP and swap that are created fresh."""
        beside = companions(self.table, self.number) if self.table else ()
        return tuple(one for one in beside if not one.kept)

    @property
    def changes(self) -> tuple[str, ...]:
        """What will be done, a sentence each."""
        name = f" as {self.request.hostname}" if self.request.hostname else ""
        fitted = (
            f"leave it as it is, restored, not fitted: {self.not_fitted}"
            if self.not_fitted
            else f"fit it to this PC{name}, bootable by {self.firmware.upper()}"
        )
        return (
            *(self.table.changes if self.table else ()),
            f"restore {self.image} to partition {self.number}",
            *(_making(one) for one in self.made),
            fitted,
        )


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment did. ``not_fitted``: why the system is restored and not fitted.

    ``ready``: ``Ready: Debian 13 as pc14``, where it is: every step done, the system fitted.
    """

    receipt: Receipt
    steps: tuple[Step, ...]
    seconds: float
    not_fitted: str = ""
    ready: str = ""


def read_layout(text: str, settings: Settings, disk: Disk) -> Layout:
    """The layout that ``text`` is or names, for ``disk``.

    A layout file, OpenGnsys' list ``TYPE:KB …``, Configurar's string, or the name of one in the
    repository.
    """
    if is_configurar(text):
        return parse_configurar(text).layout(disk)
    if is_old_list(text):
        return layout_from_old(text.split(), disk)
    path = Path(text)
    if "/" in text or path.suffix in (".json", ".toml"):
        return load_layout(path)
    if not NAME_PART.fullmatch(text):
        raise UsageError(
            f"{text!r} is neither a layout file nor the name of a layout.",
            hint="A list is written as in 'NTFS:30000000 LINUX:20000000', in KB.",
        )
    return parse_layout(_fetched(text, settings).decode(errors="replace"), name=text)


def _fetched(name: str, settings: Settings) -> bytes:
    with RepositoryClient(settings.repository_url()) as repository:
        try:
            return repository.fetch_layout(name)
        except StatusError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise NotFoundError(
                f"The repository at {settings.repository_url()} has no layout {name}.",
                hint=f"{meant(name, _USUAL_LAYOUTS)}Layouts are in its layouts/; a file is named "
                "by its path, as in ./NAME.json.",
            ) from error


def plan(request: Request, image: Image, settings: Settings, progress: Progress) -> Plan:
    """Check everything that can be checked before the first write; changes nothing.

    Where the table will be written, an image that only reading shows to be whole is read for that.
    """
    disk = find_disk(request.disk, rules=settings.disk_rules)
    refuse_itself(request.image, disk.path)
    firmware = running_firmware()
    reason = not_fitted(image)
    if request.layout:
        table = plan_layout(read_layout(request.layout, settings, disk), disk)
        number = _number_in(table, request.part)
        there = planned_view(disk, table)
        check_free(disk)
        _check_companions(disk, table, number, firmware)
    else:
        table, there = None, disk
        number = find_partition(disk, request.part).number
        check_free(disk, find_partition(disk, number))
    check_table(there.table, {one.type for one in there.partitions}, firmware, disk.describe())
    part = find_partition(there, number)
    checked = check_restorable(image, there, part, Wishes(other_firmware=True))
    if reason:
        check_firmware(image, Wishes())
    else:
        _check_fitting(request, image, there, firmware)
    if request.layout:
        refuse_cut(image, progress)
    return Plan(
        request=request,
        image=titled(image),
        disk=disk,
        number=number,
        firmware=firmware,
        table=table,
        not_fitted=reason,
        warnings=(*image.warnings, *checked.warnings),
        title=saying.onto(image, disk, part),
        system=saying.system_in(image),
    )


def _number_in(table: TablePlan, part: str) -> int:
    for planned in table.partitions:
        if str(planned.number) == part:
            return planned.number
    raise NotFoundError(
        f"The layout has no partition {part}.",
        hint=f"It has {', '.join(str(planned.number) for planned in table.partitions)}.",
    )


def _check_companions(disk: Disk, table: TablePlan, number: int, firmware: Firmware) -> None:
    """ESP and swap beside the system can be made here, and one that is kept can be used."""
    kept = next(one for one in table.partitions if one.number == number).kept
    if kept:
        raise PartitionError(
            f"The layout keeps partition {number}, which the image shall overwrite.",
            hint="Leave `keep` out for it.",
        )
    for one in companions(table, number):
        if not one.kept:
            check_makeable(_made_kind(one), one.size_sectors * table.sector_bytes)
        elif one.type == ESP and firmware is Firmware.UEFI:
            _check_esp(disk, find_partition(disk, one.number))


def _check_esp(disk: Disk, esp: Partition) -> None:
    if family_probed(esp.filesystem) is not Family.FAT:
        raise FilesystemError(
            f"The ESP of {disk.describe()}, partition {esp.number}, holds "
            f"{esp.filesystem or 'no filesystem'}, and no FAT.",
            hint=f"Format it: `og fs format {disk.number or disk.path} {esp.number} fat32`.",
        )


def _check_fitting(request: Request, image: Image, there: Disk, firmware: Firmware) -> None:
    """What the steps after the restore need: it is here, or nothing is begun."""
    if request.hostname:
        check_hostname(request.hostname)
    check_tools(firmware)
    kind = kind_of_image(image)
    check_mountable(kind.mount_type if kind else "")
    if firmware is Firmware.UEFI:
        check_mountable("vfat")
        if not request.layout:
            esp = next(one for one in there.partitions if one.type == ESP)
            check_unused(there, esp)
            _check_esp(there, esp)


def deploy(
    image: Image, planned: Plan, *, progress: Progress, memory: Memory | None = None
) -> Deployed:
    """Do what was planned. A failure before the restore's end leaves nothing bootable.

    What keeps the restored system from being fitted is in the result, not raised: the image is on
    the disk by then, and proven. ``memory`` keeps its version.
    """
    with held(planned.disk):
        done = _deploy(image, planned, progress)
    if memory is None:
        return done
    warnings = (*done.receipt.warnings, *memory.keep())
    return replace(done, receipt=replace(done.receipt, warnings=warnings))


def _deploy(image: Image, planned: Plan, progress: Progress) -> Deployed:
    started = time.monotonic()
    task = progress.task(planned.title, planned.steps)
    disk = _partitioned(planned, task)
    part = find_partition(disk, planned.number)
    with partition_device(disk, part) as device:
        task.step(f"restore {planned.image}")
        receipt = restore(image, device, progress=progress, verify=planned.request.read_back)
        receipt = replace(receipt, warnings=planned.warnings)
        receipts.keep(receipt)
        task.step(_FILL)
        steps = [_grown(device)]
        swap_uuid = "" if planned.not_fitted else _wanted_swap(device)
    if planned.table:
        steps += make_companions(disk, part, planned.table, swap_uuid, task)
    reason = planned.not_fitted
    if not reason:
        task.step(_FIT)
        fitted, reason = _fitted(planned, disk)
        steps += fitted
    failed = reason or any(step.outcome is Outcome.FAILED for step in steps)
    ready = saying.ready(planned.system, planned.image, planned.request.hostname)
    seconds = round(time.monotonic() - started, 3)
    return Deployed(receipt, tuple(steps), seconds, reason, "" if failed else ready)


def _partitioned(planned: Plan, task: Task) -> Disk:
    """The disk with its table. Where nothing is kept, nothing on it starts from here on."""
    if planned.table is None:
        return planned.disk
    task.step(_PARTITION)
    refuse_changed(planned.table)
    if not any(part.kept for part in planned.table.partitions):
        view = planned_view(planned.disk, planned.table)
        disarm(planned.disk, [one.start_bytes for one in view.partitions if one.type == ESP])
    return apply_table(planned.table)


def _fitted(planned: Plan, disk: Disk) -> tuple[Sequence[Step], str]:
    """The steps that fit the system; or why it cannot be fitted, and nothing was written."""
    # what was found on it before is no longer there
    part = replace(find_partition(disk, planned.number), filesystem="", label="", uuid="")
    try:
        configuration = plan_configuration(
            disk,
            part,
            hostname=planned.request.hostname,
            firmware=planned.firmware,
        )
    except OgError as error:
        return (), error.message.rstrip(".")
    return apply_configuration(configuration), ""


def _grown(device: Path) -> Step:
    try:
        if grow_filesystem(device):
            return Step("grow", Outcome.DONE, "the filesystem fills its partition")
    except OgError as error:
        return Step("grow", Outcome.FAILED, error.message)
    return Step("grow", Outcome.NOT_NEEDED, "this filesystem cannot grow")


def _wanted_swap(device: Path) -> str:
    """The swap UUID the system knows: giving it to the new swap spares its initramfs.

    Nothing where it cannot be read: then fitting says why.
    """
    try:
        with opened_root(device) as system:
            return wanted_swap_uuid(system.root)
    except OgError:
        return ""


def make_companions(
    disk: Disk,
    root: Partition,
    table: TablePlan,
    swap_uuid: str = "",
    task: Task | None = None,
) -> list[Step]:
    """ESP and swap of the same disk, created fresh; what the layout keeps stays as it is."""
    steps = []
    for planned in companions(table, root.number):
        name = f"format {planned.number}"
        if planned.kept:
            about = f"the layout keeps this {planned.type}"
            steps.append(Step(name, Outcome.NOT_NEEDED, about))
            continue
        if task is not None:
            task.step(_making(planned))
        with partition_device(disk, find_partition(disk, planned.number)) as device:
            if planned.type == "LINUX-SWAP":
                made = make_swap(device, uuid=swap_uuid)
                swap_uuid = ""  # a second swap gets a UUID of its own
            else:
                made = format_filesystem(device, _made_kind(planned), label="EFI")
        steps.append(Step(name, Outcome.DONE, f"{made.kind} {made.uuid}"))
    return steps


def companions(table: TablePlan, root: int) -> tuple[Planned, ...]:
    """ESP and swap that a layout puts beside the system on partition ``root``."""
    return tuple(
        planned
        for planned in table.partitions
        if planned.number != root and planned.type in (ESP, "LINUX-SWAP")
    )


def _making(planned: Planned) -> str:
    return f"format partition {planned.number} ({planned.type})"


def _made_kind(planned: Planned) -> str:
    """Which filesystem is made on a companion."""
    return USUAL_FOR_TYPE[planned.type]
