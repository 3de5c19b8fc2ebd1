# SPDX-License-Identifier: GPL-3.0-or-later
"""What the restore of a whole disk, or of some of its partitions, will do; nothing is written.

Every image is opened, judged and checked against its place here; what is planned is what is shown,
asked about and then done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from oglib.boot import firmware
from oglib.cancel import NEVER, Cancel
from oglib.deploy import sentences
from oglib.deploy.itself import refuse_itself
from oglib.deploy.opening.memory import Memory, of_this_pc
from oglib.deploy.partition.checks import (
    Wishes,
    check_free,
    check_restorable,
    check_size,
    planned_view,
)
from oglib.deploy.whole_disk.image import is_disk_copy, opened_any
from oglib.deploy.whole_disk.sizing import SizedDisk, sized_for
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.disk.find import find_disk, find_partition
from oglib.disk.firmware import running_firmware
from oglib.disk.model import Disk
from oglib.disk.probe import probe_target
from oglib.disk.starts import ESP
from oglib.disk.writing.table import check_drafted
from oglib.errors import ImageError, NotFoundError, UsageError
from oglib.filesystem.make import check_makeable
from oglib.image.any import Image
from oglib.image.format.disk_manifest import Content, DiskPart
from oglib.progress import Progress
from oglib.settings import Settings

TABLE, WHOLE = "write the partition table", "restore the whole disk"
FILL, STARTS = "make swap and fill larger partitions", "write what the disk starts from"


@dataclass(frozen=True, slots=True)
class DiskWishes:
    """How it shall be done: as ``og image restore`` says it."""

    read_back: bool = True
    delta: bool = False
    grow: bool = True
    other_firmware: bool = False


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """The restore of a whole disk or of some of its partitions, checked.

    The images stay open while the block of ``planned`` lasts. ``sized`` is the table to write;
    None where the partitions go onto those that are there, and where ``raw``, the copy of a disk
    with its table, goes over everything. ``said``: what to warn of besides an image's origin.
    ``memory`` keeps the image's version when it is restored whole.
    """

    disk: Disk
    wishes: DiskWishes
    changes: tuple[str, ...]
    images: Mapping[int, Image]
    whole: WholeDisk | None = None
    sized: SizedDisk | None = None
    raw: Image | None = None
    said: tuple[str, ...] = ()
    memory: Memory | None = None

    @property
    def system(self) -> str:
        """The system that starts from it, as the image names it; empty where nobody noted it."""
        return self.whole.system if self.whole else ""

    @property
    def image(self) -> str:
        """The image's name, and its version where it has one."""
        if self.whole is None:
            return self.raw.title if self.raw else ""
        return self.whole.title

    @property
    def title(self) -> str:
        """What comes onto what."""
        return sentences.onto(sentences.short_system(self.system), self.image, self.disk)

    @property
    def steps(self) -> tuple[str, ...]:
        """What will be done, in its order, for whoever watches."""
        if self.raw is not None:
            return (WHOLE,)
        if self.sized is None:
            return tuple(restoring(number) for number in self.images)
        first, esps = in_order(self.sized)
        return (
            TABLE,
            *(restoring(part.number) for part in first),
            FILL,
            *(restoring(part.number) for part in esps),
            STARTS,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before."""
        origin = self.whole.warnings if self.whole else ()
        return (*origin, *(self.raw.warnings if self.raw else ()), *self.said)


@contextmanager
def planned(
    image: str,
    spec: str,
    wishes: DiskWishes,
    *,
    numbers: Sequence[int] = (),
    settings: Settings,
    progress: Progress,
    cancel: Cancel = NEVER,
) -> Iterator[DiskPlan]:
    """Open the image, look at the disk and refuse what can be refused; changes nothing.

    ``image`` is a folder, ours, Clonezilla's or FOG's, a name in the repository, or the raw copy
    of a disk. With ``numbers`` only these partitions are restored, onto those of the disk.
    """
    memory = of_this_pc(settings)
    with opened_any(image, settings, memory) as found:
        if isinstance(found, WholeDisk):
            with planned_on(
                found, spec, wishes, numbers=numbers, settings=settings, progress=progress,
                memory=memory, cancel=cancel,
            ) as plan:  # fmt: skip
                yield plan
            return
        if not is_disk_copy(found):
            raise NotFoundError(
                f"The image {found.name} is that of a partition, and no partition is named.",
                hint="Name it behind the disk.",
            )
        if numbers:
            raise UsageError(
                f"{image} is the copy of a whole disk in one file, of which --parts takes nothing.",
                hint="Restore all of it, without --parts.",
            )
        yield plan_copy(found.sized(progress, cancel), spec, wishes, settings, memory)


@contextmanager
def planned_on(
    whole: WholeDisk,
    spec: str,
    wishes: DiskWishes,
    *,
    numbers: Sequence[int] = (),
    settings: Settings,
    progress: Progress,
    memory: Memory,
    cancel: Cancel = NEVER,
) -> Iterator[DiskPlan]:
    """The same of an image that is open: its partitions' are opened for as long as this lasts."""
    disk = find_disk(spec, rules=settings.disk_rules)
    refuse_itself(whole.files, disk.path)
    with ExitStack() as stack:

        def opened(number: int) -> Image:
            return stack.enter_context(whole.open_part(number)).sized(progress, cancel)

        if numbers:
            yield _planned_parts(whole, disk, wishes, numbers, opened, memory=memory)
            return
        plan = _planned_whole(whole, disk, wishes, opened, memory)
        for image in plan.images.values():
            image.refuse_cut(progress, cancel)
        yield plan


def plan_copy(
    image: Image, spec: str, wishes: DiskWishes, settings: Settings, memory: Memory
) -> DiskPlan:
    """The restore of the raw copy of a disk, over all of this one; changes nothing."""
    disk = find_disk(spec, rules=settings.disk_rules)
    refuse_itself(image.files, disk.path)
    check_free(disk)
    check_size(image, disk.describe(), disk.size_bytes)
    changes = ("the whole disk is overwritten, its partition table too",)
    return DiskPlan(disk, wishes, changes, {}, raw=image, memory=memory)


def _planned_whole(
    whole: WholeDisk,
    disk: Disk,
    wanted: DiskWishes,
    opened: Callable[[int], Image],
    memory: Memory,
) -> DiskPlan:
    if whole.missing:
        raise ImageError(
            f"The image {whole.name} holds what is not restored from here: "
            f"{', '.join(whole.missing)}.",
            hint="Restore its other partitions with --parts.",
        )
    whole.refuse_lacking()
    _check_firmware(whole, wanted)
    sized = sized_for(whole.imaged, disk, grow=wanted.grow)
    there = planned_view(disk, sized.plan)
    images = {part.number: opened(part.number) for part in sized.parts if part.is_image}
    wishes = Wishes(other_firmware=True)  # of the disk as a whole, judged above
    for number, image in images.items():
        check_restorable(image, there, find_partition(there, number), wishes)
    for part in sized.parts:
        if part.content is Content.SWAP:
            check_makeable("swap", part.size_bytes)
    memory.keep_only_what_stays(sized.plan, disk)
    with memory.aside(disk):
        check_free(probe_target(disk.path))
        check_drafted(sized.plan, disk)
    said = tuple(text for image in images.values() for text in image.own_warnings)
    return DiskPlan(
        disk, wanted, sized.plan.changes, images, whole, sized, said=said, memory=memory
    )


def _planned_parts(
    whole: WholeDisk,
    disk: Disk,
    wanted: DiskWishes,
    numbers: Sequence[int],
    opened: Callable[[int], Image],
    *,
    memory: Memory,
) -> DiskPlan:
    have = {part.number for part in whole.imaged.parts if part.is_image}
    for number in numbers:
        if number not in have:
            raise NotFoundError(
                f"The image {whole.name} has no image of a partition {number}.",
                hint=f"It has {', '.join(map(str, sorted(have)))}.",
            )
    for number in numbers:
        check_free(disk, find_partition(disk, number))
    images = {number: opened(number) for number in numbers}
    wishes = Wishes(grow=False, other_firmware=wanted.other_firmware)
    checks = [
        check_restorable(image, disk, find_partition(disk, number), wishes)
        for number, image in images.items()
    ]
    said = (
        *(text for image in images.values() for text in image.own_warnings),
        *(text for check in checks for text in check.warnings),
    )
    changes = tuple(f"overwrite partition {number}" for number in numbers)
    return DiskPlan(disk, wanted, changes, images, whole, said=said, memory=memory)


def _check_firmware(whole: WholeDisk, wishes: DiskWishes) -> None:
    """A disk that only the other kind of firmware can start is refused."""
    if wishes.other_firmware:
        return
    firmware.check(
        whole.able_to_start,
        running_firmware(),
        lambda theirs, here: (
            f"The image {whole.name} is of a disk that {theirs} starts, "
            f"and this PC starts by {here}."
        ),
        hint="--other-firmware restores it all the same; it will not start here.",
    )


def restoring(number: int) -> str:
    """The step that restores a partition, in words."""
    return f"restore partition {number}"


def in_order(sized: SizedDisk) -> tuple[list[DiskPart], list[DiskPart]]:
    """The images to restore, the active partition's last, and those of ESPs, which follow.

    With its ESP a disk starts, boot code or not: then it has its swap and its grown filesystems.
    """
    kinds = {part.number: part.type for part in sized.plan.partitions}
    images = [part for part in sized.parts if part.is_image]
    first = [part for part in images if kinds[part.number] != ESP]
    esps = [part for part in images if kinds[part.number] == ESP]
    return sorted(first, key=lambda part: part.active), esps
