# SPDX-License-Identifier: GPL-3.0-or-later
"""From a blank disk to a PC's own system: partition, restore, grow, configure, in that order.

Everything that can be known is checked before the first write: the image's signature, the
layout against the disk, the target's size against the image, the table against the firmware.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from oglib.boot.grub import Firmware, check_bootable, running_firmware
from oglib.deploy import receipts
from oglib.deploy.configure import configure
from oglib.disk.find import find_disk, find_partition
from oglib.disk.layout import Layout, load_layout, parse_layout
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.old_layouts import (
    is_configurar,
    is_old_list,
    layout_from_old,
    parse_configurar,
)
from oglib.disk.plan import plan_layout
from oglib.disk.planned import Planned, TablePlan
from oglib.disk.remedy import remedy
from oglib.disk.table import apply_table
from oglib.errors import NotFoundError, OgErr, PartitionError, UsageError
from oglib.filesystem.kinds import USUAL_FOR_TYPE
from oglib.filesystem.make import format_filesystem, make_swap
from oglib.filesystem.mount import mounted
from oglib.filesystem.resize import grow_filesystem
from oglib.image import Receipt, restore
from oglib.image.foreign import Image, name_of, required_bytes_of
from oglib.osconfig.linux import wanted_swap_uuid
from oglib.osconfig.root import TargetRoot
from oglib.progress import Progress
from oglib.settings import NAME_PART, Settings
from oglib.steps import Outcome, Step
from oglib.transfer.repository import RepositoryClient


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
    """What a deployment will do, checked against image, disk and firmware."""

    disk: Disk
    number: int
    firmware: Firmware
    table: TablePlan | None


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment did."""

    receipt: Receipt
    steps: tuple[Step, ...]
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether every step after the restore succeeded too."""
        return all(step.outcome is not Outcome.FAILED for step in self.steps)


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
    with RepositoryClient(settings.repository_url()) as repository:
        return parse_layout(repository.fetch_layout(text).decode(errors="replace"), name=text)


def plan(request: Request, image: Image, settings: Settings) -> Plan:
    """Check everything that can be checked before the first write; changes nothing."""
    disk = find_disk(request.disk, rules=settings.disk_rules)
    firmware = running_firmware()
    if not request.layout:
        part = find_partition(disk, request.part)
        check_bootable(disk.table, {one.type for one in disk.partitions}, firmware, disk.describe())
        _check_size(image, disk, part.number, part.size_bytes)
        return Plan(disk, part.number, firmware, None)
    table = plan_layout(read_layout(request.layout, settings, disk), disk)
    check_bootable(table.table, {part.type for part in table.partitions}, firmware, disk.describe())
    if disk.in_use:
        raise PartitionError(
            f"{disk.describe()} is in use: {'; '.join(disk.in_use)}.",
            hint=remedy(disk),
            code=OgErr.LOCKED,
        )
    for planned in table.partitions:
        if str(planned.number) == request.part:
            size = planned.size_sectors * table.sector_bytes
            _check_size(image, disk, planned.number, size)
            return Plan(disk, planned.number, firmware, table)
    raise NotFoundError(
        f"The layout has no partition {request.part}.",
        hint=f"It has {', '.join(str(planned.number) for planned in table.partitions)}.",
    )


def _check_size(image: Image, disk: Disk, number: int, size_bytes: int) -> None:
    needed = required_bytes_of(image)
    if size_bytes < needed:
        raise PartitionError(
            f"Partition {number} of {disk.describe()} has {size_bytes} bytes, but the image "
            f"{name_of(image)} needs {needed}.",
            hint="Choose a larger partition or layout, or a smaller image.",
            code=OgErr.IMGSIZEPARTITION,
        )


def deploy(request: Request, image: Image, planned: Plan, *, progress: Progress) -> Deployed:
    """Do what was planned. A failure before the restore's end leaves nothing bootable."""
    with held(planned.disk):
        return _deploy(request, image, planned, progress)


def _deploy(request: Request, image: Image, planned: Plan, progress: Progress) -> Deployed:
    started = time.monotonic()
    disk = apply_table(planned.table) if planned.table else planned.disk
    part = find_partition(disk, planned.number)
    with partition_device(disk, part) as device:
        receipt = restore(image, device, progress=progress, verify=request.read_back)
        receipts.keep(receipt)
        grown = grow_filesystem(device)
        swap_uuid = _wanted_swap(device)
    steps = [_grown(grown)]
    if planned.table:
        steps += make_companions(disk, part, planned.table, swap_uuid)
    steps += configure(disk, part, hostname=request.hostname, firmware=planned.firmware)
    return Deployed(receipt, tuple(steps), round(time.monotonic() - started, 3))


def _grown(grown: bool) -> Step:
    if grown:
        return Step("grow", Outcome.DONE, "the filesystem fills its partition")
    return Step("grow", Outcome.NOT_NEEDED, "this filesystem cannot grow")


def _wanted_swap(device: Path) -> str:
    """The swap UUID the system knows: giving it to the new swap spares its initramfs."""
    with mounted(device) as point, TargetRoot(point) as root:
        return wanted_swap_uuid(root)


def make_companions(
    disk: Disk, root: Partition, table: TablePlan, swap_uuid: str = ""
) -> list[Step]:
    """ESP and swap of the same disk, created fresh; what the layout keeps stays as it is."""
    steps = []
    for planned in companions(table, root.number):
        name = f"format {planned.number}"
        if planned.kept:
            about = f"the layout keeps this {planned.type}"
            steps.append(Step(name, Outcome.NOT_NEEDED, about))
            continue
        with partition_device(disk, find_partition(disk, planned.number)) as device:
            if planned.type == "LINUX-SWAP":
                made = make_swap(device, uuid=swap_uuid)
                swap_uuid = ""  # a second swap gets a UUID of its own
            else:
                made = format_filesystem(device, USUAL_FOR_TYPE[planned.type], label="EFI")
        steps.append(Step(name, Outcome.DONE, f"{made.kind} {made.uuid}"))
    return steps


def companions(table: TablePlan, root: int) -> tuple[Planned, ...]:
    """ESP and swap that a layout puts beside the system on partition ``root``."""
    return tuple(
        planned
        for planned in table.partitions
        if planned.number != root and planned.type in ("EFI", "LINUX-SWAP")
    )
