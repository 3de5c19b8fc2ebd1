# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment will do, asked before the first write of everything that can be known.

The image's signature and sector size, the layout against the disk, who uses or has locked it, the
target's size, the table against the firmware, what this ogLive can mount, make and install, and
whether the image holds a system that can be fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

from oglib.boot.firmware import check_table
from oglib.boot.grub import check_tools
from oglib.cancel import NEVER, Cancel
from oglib.deploy import sentences
from oglib.deploy.itself import refuse_itself
from oglib.deploy.opening.memory import Memory
from oglib.deploy.partition.checks import (
    Wishes,
    check_free,
    check_restorable,
    check_unused,
    planned_view,
)
from oglib.deploy.system.companions import companions, made_kind, making
from oglib.deploy.system.fittable import not_fitted
from oglib.deploy.system.layouts import read_layout
from oglib.disk.find import find_disk, find_partition
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.model import Disk, Partition
from oglib.disk.planning.plan import plan_layout
from oglib.disk.planning.planned import PlannedPartition, TablePlan
from oglib.disk.starts import ESP
from oglib.disk.writing.table import check_drafted
from oglib.errors import FilesystemError, NotFoundError, PartitionError
from oglib.filesystem.kind import Family, Kind
from oglib.filesystem.kinds import family_probed
from oglib.filesystem.make import check_makeable
from oglib.filesystem.mount import check_mountable
from oglib.image.any import Image
from oglib.osconfig.linux.names import check_hostname
from oglib.progress import Progress
from oglib.settings import Settings

PARTITION, FILL, FIT = "partition the disk", "fill the partition", "fit the system to this PC"


@dataclass(frozen=True, slots=True)
class Request:
    """One deployment as asked for. ``layout`` is a file, a name in the repository, or empty."""

    disk: str
    part: str
    layout: str = ""
    hostname: str = ""
    read_back: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment will do, checked against image, disk, firmware and this ogLive.

    ``not_fitted``: why the system will be restored and not fitted to this PC; empty where it will.
    ``title``: what comes onto what, in a sentence. ``image`` is as open as when this was planned;
    ``memory`` keeps its version when it is restored. ``settings``: what this boot and the site say.
    """

    request: Request
    image: Image
    disk: Disk
    number: int
    firmware: Firmware
    table: TablePlan | None
    not_fitted: str
    warnings: tuple[str, ...]
    title: str
    memory: Memory
    settings: Settings

    @property
    def system(self) -> str:
        """The system in the image, as people say it; empty where nobody noted it."""
        return sentences.short_system(self.image.origin.os)

    @property
    def steps(self) -> tuple[str, ...]:
        """What will be done, in its order, for whoever watches."""
        return (
            *((PARTITION,) if self.table else ()),
            f"restore {self.image.title}",
            FILL,
            *(making(one) for one in self.made),
            *(() if self.not_fitted else (FIT,)),
        )

    @property
    def made(self) -> tuple[PlannedPartition, ...]:
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
            f"restore {self.image.title} to partition {self.number}",
            *(making(one) for one in self.made),
            fitted,
        )


def plan(
    request: Request,
    image: Image,
    settings: Settings,
    *,
    progress: Progress,
    memory: Memory,
    cancel: Cancel = NEVER,
) -> Plan:
    """Check everything that can be checked before the first write; changes nothing.

    Where the table will be written, an image that only reading shows to be whole is read for that.
    """
    disk = find_disk(request.disk, rules=settings.disk_rules)
    refuse_itself(image.files, disk.path)
    firmware = running_firmware()
    if request.layout:
        table = plan_layout(read_layout(request.layout, settings, disk), disk)
        number = _number_in(table, request.part)
        there = planned_view(disk, table)
        memory.keep_only_what_stays(table, disk)
        with memory.aside(disk):
            disk = find_disk(request.disk, rules=settings.disk_rules)
            _check_layout_free(disk, table, number)
            check_drafted(table, disk)
        _check_companions(disk, table, number, firmware)
    else:
        table, there = None, disk
        number = find_partition(disk, request.part).number
        check_free(disk, find_partition(disk, number))
    alone = table is not None and not any(one.kept for one in table.partitions)
    reason = not_fitted(image, alone=alone)
    check_table(there.table, {one.type for one in there.partitions}, firmware, disk.describe())
    part = find_partition(there, number)
    # what is fitted starts here, whatever started the PC that it was made on
    checked = check_restorable(image, there, part, Wishes(other_firmware=not reason))
    if not reason:
        _check_fitting(request, image.kind, there, firmware)
    if request.layout:
        image.refuse_cut(progress, cancel)
    return Plan(
        request=request,
        image=image,
        disk=disk,
        number=number,
        firmware=firmware,
        table=table,
        not_fitted=reason,
        warnings=(*image.warnings, *checked.warnings),
        title=sentences.onto(sentences.short_system(image.origin.os), image.title, disk, part),
        memory=memory,
        settings=settings,
    )


def _check_layout_free(disk: Disk, table: TablePlan, number: int) -> None:
    """All of a disk whose table is written; else what is filled and made beside it alone."""
    if not table.nothing_to_change:
        check_free(disk)
        return
    made = (one.number for one in companions(table, number) if not one.kept)
    for one in (number, *made):
        check_free(disk, find_partition(disk, one))


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
            check_makeable(made_kind(one), one.size_sectors * table.sector_bytes)
        elif one.type == ESP and firmware is Firmware.UEFI:
            _check_esp(disk, find_partition(disk, one.number))


def _check_esp(disk: Disk, esp: Partition) -> None:
    if family_probed(esp.filesystem) is not Family.FAT:
        raise FilesystemError(
            f"The ESP of {disk.describe()}, partition {esp.number}, holds "
            f"{esp.filesystem or 'no filesystem'}, and no FAT.",
            hint=f"Format it: `og fs format {disk.number or disk.path} {esp.number} fat32`.",
        )


def _check_fitting(request: Request, kind: Kind | None, there: Disk, firmware: Firmware) -> None:
    """What the steps after the restore need: it is here, or nothing is begun."""
    if request.hostname:
        check_hostname(request.hostname)
    check_tools(firmware)
    check_mountable(kind.mount_type if kind else "")
    if firmware is Firmware.UEFI:
        check_mountable("vfat")
        if not request.layout:
            esp = next(one for one in there.partitions if one.type == ESP)
            check_unused(there, esp)
            _check_esp(there, esp)
