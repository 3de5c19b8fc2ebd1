# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the image of a whole disk onto a disk, or some of its partitions onto those of a disk.

Every image is opened, judged and checked against its place by the plan, which is what is shown,
asked about and then done. The disk cannot start while it is incomplete: its boot code and the first
MiB of every ESP are zeroed first; what firmware starts from is restored last, an ESP after swap was
made and filesystems were grown, and the boot code after everything else was read back. A run that
was cut is begun again by the same command, and goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.boot import firmware
from oglib.deploy import receipts, saying
from oglib.deploy.itself import refuse_itself
from oglib.deploy.opening import memory as memories
from oglib.deploy.opening import reference
from oglib.deploy.opening.memory import Memory
from oglib.deploy.partition.checks import (
    Wishes,
    check_free,
    check_restorable,
    check_size,
    planned_view,
)
from oglib.deploy.whole_disk.boot_bytes import boot_code_of, disarm, write_gaps
from oglib.deploy.whole_disk.fit import Fitted, fit
from oglib.deploy.whole_disk.fixed import can_grow, fixed_as
from oglib.deploy.whole_disk.image import WholeDisk, is_raw_disk, opened_whole
from oglib.deploy.whole_disk.receipt import DiskReceipt, Done, Told, receipt_of
from oglib.disk import types
from oglib.disk.find import find_disk, find_partition
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk
from oglib.disk.probing.probe import probe_target
from oglib.disk.starts import ESP, starters
from oglib.disk.writing.table import apply_table, is_of_another_size, refuse_changed, repair_table
from oglib.errors import ImageError, NotFoundError, UsageError
from oglib.filesystem.make import check_makeable, make_swap
from oglib.filesystem.resize import grow_filesystem
from oglib.image.any import Image, named, titled
from oglib.image.format.disk_manifest import Content, DiskPart
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore import restore
from oglib.progress import Progress, Task
from oglib.settings import Settings

_TABLE, _WHOLE = "write the partition table", "restore the whole disk"
_FILL, _STARTS = "make swap and fill larger partitions", "write what the disk starts from"


@dataclass(frozen=True, slots=True)
class Options:
    """How it shall be done: as ``og image restore`` says it."""

    read_back: bool = True
    delta: bool = False
    grow: bool = True
    other_firmware: bool = False


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """The restore of a whole disk or of some of its partitions, checked.

    The images stay open while the block of ``planned`` lasts. ``fitted`` is the table to write;
    None where the partitions go onto those that are there, and where ``raw``, the copy of a disk
    with its table, goes over everything. ``said``: what to warn of besides an image's origin.
    ``memory`` keeps the image's version when it is restored whole.
    """

    disk: Disk
    options: Options
    changes: tuple[str, ...]
    images: Mapping[int, Image]
    whole: WholeDisk | None = None
    fitted: Fitted | None = None
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
            return titled(self.raw) if self.raw else ""
        return named(self.whole.name, self.whole.version)

    @property
    def title(self) -> str:
        """What comes onto what."""
        return saying.whole_onto(self.system, self.image, self.disk)

    @property
    def steps(self) -> tuple[str, ...]:
        """What will be done, in its order, for whoever watches."""
        if self.raw is not None:
            return (_WHOLE,)
        if self.fitted is None:
            return tuple(_restoring(number) for number in self.images)
        first, esps = _in_order(self.fitted)
        return (
            _TABLE,
            *(_restoring(part.number) for part in first),
            _FILL,
            *(_restoring(part.number) for part in esps),
            _STARTS,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before."""
        origin = self.whole.warnings if self.whole else ()
        return (*origin, *(self.raw.warnings if self.raw else ()), *self.said)


@contextmanager
def planned(
    image: str,
    disk_spec: str,
    options: Options,
    *,
    settings: Settings,
    progress: Progress,
    numbers: Sequence[int] = (),
) -> Iterator[DiskPlan]:
    """Open the images, look at the disk and refuse what can be refused; changes nothing.

    ``image`` is a folder, ours, Clonezilla's or FOG's, a name in the repository, or the raw copy
    of a disk. With ``numbers`` only these partitions are restored, onto those of the disk.
    """
    disk = find_disk(disk_spec, rules=settings.disk_rules)
    refuse_itself(image, disk.path)
    raw_copy = is_raw_disk(image, settings)
    if raw_copy and numbers:
        raise UsageError(
            f"{image} is the copy of a whole disk in one file, of which --parts takes nothing.",
            hint="Restore all of it, without --parts.",
        )
    if raw_copy:
        with reference.opened_to_restore(image, settings, progress) as raw:
            yield _planned_raw(raw, disk, options)
        return
    memory = memories.of_this_pc(settings)
    with opened_whole(image, settings, memory) as whole, ExitStack() as stack:

        def opened(number: int) -> Image:
            return reference.sized(stack.enter_context(whole.open_part(number)), progress)

        if numbers:
            yield _planned_parts(whole, disk, options, numbers, opened)
        else:
            plan = _planned_whole(whole, disk, options, opened)
            for image_of_part in plan.images.values():
                reference.refuse_cut(image_of_part, progress)
            yield replace(plan, memory=memory)


def _planned_raw(image: Image, disk: Disk, options: Options) -> DiskPlan:
    check_free(disk)
    check_size(image, disk.describe(), disk.size_bytes)
    changes = ("the whole disk is overwritten, its partition table too",)
    return DiskPlan(disk, options, changes, {}, raw=image)


def _planned_whole(
    whole: WholeDisk, disk: Disk, options: Options, opened: Callable[[int], Image]
) -> DiskPlan:
    if whole.missing:
        raise ImageError(
            f"The image {whole.name} holds what is not restored from here: "
            f"{', '.join(whole.missing)}.",
            hint="Restore its other partitions with --parts.",
        )
    whole.refuse_lacking()
    _check_firmware(whole, options)
    fitted = fit(whole.wanted, disk, grow=options.grow)
    there = planned_view(disk, fitted.plan)
    images = {part.number: opened(part.number) for part in fitted.parts if part.is_image}
    wishes = Wishes(other_firmware=True)  # of the disk as a whole, judged above
    for number, image in images.items():
        check_restorable(image, there, find_partition(there, number), wishes)
    for part in fitted.parts:
        if part.content is Content.SWAP:
            check_makeable("swap", part.size_bytes)
    check_free(disk)
    said = tuple(text for image in images.values() for text in image.own_warnings)
    return DiskPlan(disk, options, fitted.plan.changes, images, whole, fitted, said=said)


def _planned_parts(
    whole: WholeDisk,
    disk: Disk,
    options: Options,
    numbers: Sequence[int],
    opened: Callable[[int], Image],
) -> DiskPlan:
    have = {part.number for part in whole.wanted.parts if part.is_image}
    for number in numbers:
        if number not in have:
            raise NotFoundError(
                f"The image {whole.name} has no image of a partition {number}.",
                hint=f"It has {', '.join(map(str, sorted(have)))}.",
            )
    for number in numbers:
        check_free(disk, find_partition(disk, number))
    images = {number: opened(number) for number in numbers}
    wishes = Wishes(grow=False, other_firmware=options.other_firmware)
    checks = [
        check_restorable(image, disk, find_partition(disk, number), wishes)
        for number, image in images.items()
    ]
    said = (
        *(text for image in images.values() for text in image.own_warnings),
        *(text for check in checks for text in check.warnings),
    )
    changes = tuple(f"overwrite partition {number}" for number in numbers)
    return DiskPlan(disk, options, changes, images, whole, said=said)


def able_to_start(whole: WholeDisk) -> frozenset[Firmware]:
    """The kinds of firmware that start the disk: one, both or none."""
    wanted = whole.wanted
    if whole.firmware:
        return frozenset({Firmware(whole.firmware)})
    kinds = {types.mnemonic(p.type_id, wanted.table, name=p.name) for p in wanted.parts}
    return starters(wanted.table, kinds, boot_code=any(boot_code_of(whole.gaps)))


def _check_firmware(whole: WholeDisk, options: Options) -> None:
    """A disk that only the other kind of firmware can start is refused."""
    if options.other_firmware:
        return
    firmware.check(
        able_to_start(whole),
        running_firmware(),
        lambda theirs, here: (
            f"The image {whole.name} is of a disk that {theirs} starts, "
            f"and this PC starts by {here}."
        ),
        hint="--other-firmware restores it all the same; it will not start here.",
    )


def apply(plan: DiskPlan, *, progress: Progress) -> DiskReceipt:
    """Do what was planned.

    A whole disk gets its table, its partitions and its boot code; on a larger disk the filesystem
    that can grow fills it.
    """
    receipt = _applied(plan, progress)
    kept = plan.memory.keep() if plan.memory else ()
    return replace(receipt, warnings=(*receipt.warnings, *kept))


def _applied(plan: DiskPlan, progress: Progress) -> DiskReceipt:
    started = time.monotonic()
    with held(plan.disk):
        work = _Work(plan, progress, progress.task(plan.title, plan.steps))
        if plan.raw is not None:
            return _restore_raw(plan.raw, work, started)
        if plan.whole is None:
            raise ValueError("a plan without an image")
        if plan.fitted is None:
            done = Done((), work.put(plan.disk, tuple(plan.images)))
        else:
            done = _restore_whole(work, plan.whole, plan.fitted)
        return receipt_of(plan.whole, plan.disk, replace(done, warnings=plan.said), started)


@dataclass(frozen=True, slots=True)
class _Work:
    """A plan that is being done, and who watches."""

    plan: DiskPlan
    progress: Progress
    task: Task

    def put(self, disk: Disk, numbers: Sequence[int]) -> tuple[Receipt, ...]:
        """Restore the images of these partitions, in this order."""
        return tuple(self._put_one(disk, number) for number in numbers)

    def _put_one(self, disk: Disk, number: int) -> Receipt:
        self.task.step(_restoring(number))
        with partition_device(disk, find_partition(disk, number)) as device:
            receipt = self.restored(self.plan.images[number], device)
        receipts.keep(receipt)
        return receipt

    def restored(self, image: Image, target: Path) -> Receipt:
        options = self.plan.options
        return restore(
            image, target, progress=self.progress, verify=options.read_back, delta=options.delta
        )


def _restore_whole(work: _Work, whole: WholeDisk, fitted: Fitted) -> Done:
    plan = work.plan
    work.task.step(_TABLE)
    refuse_changed(fitted.plan)
    view = planned_view(plan.disk, fitted.plan)
    first, esps = _in_order(fitted)
    starts = [find_partition(view, part.number).start_bytes for part in esps]
    disarm(plan.disk, starts, [part.number for part in fitted.plan.partitions if part.kept])
    there = apply_table(fitted.plan)
    done = work.put(there, [part.number for part in first])
    work.task.step(_FILL)
    after = (*_made(there, fitted), *_grown(there, first))
    done += work.put(there, [part.number for part in esps])
    work.task.step(_STARTS)
    after += _grown(there, esps)
    write_gaps(there, whole.gaps)
    return Done(fitted.plan.changes, done, after)


def _restoring(number: int) -> str:
    return f"restore partition {number}"


def restore_disk(
    image: str, disk_spec: str, options: Options, *, settings: Settings, progress: Progress
) -> DiskReceipt:
    """Plan and apply the restore of a whole disk, for those who ask nobody in between."""
    with planned(image, disk_spec, options, settings=settings, progress=progress) as plan:
        return apply(plan, progress=progress)


def restore_parts(
    image: str,
    disk_spec: str,
    numbers: Sequence[int],
    options: Options,
    *,
    settings: Settings,
    progress: Progress,
) -> DiskReceipt:
    """The same for some partitions of an image, onto those with the same numbers."""
    with planned(
        image, disk_spec, options, settings=settings, progress=progress, numbers=numbers
    ) as plan:
        return apply(plan, progress=progress)


def _in_order(fitted: Fitted) -> tuple[list[DiskPart], list[DiskPart]]:
    """The images to restore, the active partition's last, and those of ESPs, which follow.

    With its ESP a disk starts, boot code or not: then it has its swap and its grown filesystems.
    """
    kinds = {part.number: part.type for part in fitted.plan.partitions}
    images = [part for part in fitted.parts if part.is_image]
    first = [part for part in images if kinds[part.number] != ESP]
    esps = [part for part in images if kinds[part.number] == ESP]
    return sorted(first, key=lambda part: part.active), esps


def _made(disk: Disk, fitted: Fitted) -> list[str]:
    """Swap under its old UUID and label, for the restored system looks for it; what is left."""
    said = []
    for part in fitted.parts:
        if part.content is Content.SWAP:
            with partition_device(disk, find_partition(disk, part.number)) as device:
                made = make_swap(device, label=part.label, uuid=part.uuid)
            said.append(f"partition {part.number}: swap {made.uuid}")
    said += [
        f"partition {part.number}: a CACHE without a filesystem, `og cache format` makes it"
        for part in fitted.plan.partitions
        if part.type == types.CACHE and part.fresh
    ]
    return said


def _grown(disk: Disk, parts: Sequence[DiskPart]) -> tuple[str, ...]:
    said = []
    for part in parts:
        roomy = part.is_image and part.size_bytes > part.required_bytes
        if roomy and can_grow(part) and not fixed_as(part, disk.table):
            with partition_device(disk, find_partition(disk, part.number)) as device:
                if grow_filesystem(device):
                    said.append(f"partition {part.number}: its filesystem fills it")
    return tuple(said)


def _restore_raw(image: Image, work: _Work, started: float) -> DiskReceipt:
    """A raw copy goes onto the disk as it is; the end of a GPT moves to that of a larger disk."""
    disk = work.plan.disk
    work.task.step(_WHOLE)
    receipt = work.restored(image, disk.path)
    receipts.keep(receipt)
    there = probe_target(disk.path)
    after: tuple[str, ...] = ()
    # on a disk of the same size nothing of it changes, odd as it may be
    if is_of_another_size(there):
        there = repair_table(there)
        after = ("both copies of the GPT written for a disk of this size",)
    said = tuple(f"Its partition table is as odd as the image's: {one}" for one in there.damage)
    changes = ("the whole disk is overwritten, its partition table too",)
    told = Told(receipt.image, receipt.version, receipt.signed_by, receipt.source, receipt.warnings)
    return receipt_of(told, disk, Done(changes, (receipt,), after, said), started)
