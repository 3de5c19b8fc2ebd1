# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the image of a whole disk onto a disk, or some of its partitions onto those of a disk.

Does what ``plan`` has checked. The disk cannot start while it is incomplete: its boot code and the
first MiB of every ESP are zeroed first; what firmware starts from is restored last, an ESP after
swap was made and filesystems were grown, and the boot code after everything else was read back. A
run that was cut is begun again by the same command, and goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.cancel import NEVER, Cancel
from oglib.deploy import receipts
from oglib.deploy.partition.checks import planned_view
from oglib.deploy.whole_disk.boot_bytes import disarm, write_gaps
from oglib.deploy.whole_disk.fixed import can_grow, fixed_as
from oglib.deploy.whole_disk.plan import (
    FILL,
    STARTS,
    TABLE,
    WHOLE,
    DiskPlan,
    DiskWishes,
    in_order,
    planned,
    restoring,
)
from oglib.deploy.whole_disk.receipt import DiskReceipt, Done, ImageIdentity, receipt_of
from oglib.deploy.whole_disk.sizing import SizedDisk
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.disk import types
from oglib.disk.find import find_partition
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk
from oglib.disk.probe import probe_target
from oglib.disk.writing.table import apply_table, is_of_another_size, refuse_changed, repair_table
from oglib.errors import OgError
from oglib.filesystem.make import make_swap
from oglib.filesystem.resize import grow_filesystem
from oglib.image.any import Image
from oglib.image.format.disk_manifest import Content, DiskPart
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore import restore
from oglib.progress import Progress, Task
from oglib.settings import Settings


def apply(plan: DiskPlan, *, progress: Progress, cancel: Cancel = NEVER) -> DiskReceipt:
    """Do what was planned.

    A whole disk gets its table, its partitions and its boot code; on a larger disk the filesystem
    that can grow fills it.
    """
    receipt = _applied(plan, progress, cancel)
    parts_alone = plan.raw is None and plan.sized is None
    kept = plan.memory.keep(whole=not parts_alone) if plan.memory else ()
    return replace(receipt, warnings=(*receipt.warnings, *kept))


def _applied(plan: DiskPlan, progress: Progress, cancel: Cancel) -> DiskReceipt:
    started = time.monotonic()
    with held(plan.disk):
        work = _Work(plan, progress, progress.task(plan.title, plan.steps), cancel)
        if plan.raw is not None:
            return _restore_raw(plan.raw, work, started)
        if plan.whole is None:
            raise ValueError("a plan without an image")
        if plan.sized is None:
            done = Done((), work.put(plan.disk, tuple(plan.images)))
        else:
            done = _restore_whole(work, plan.whole, plan.sized)
        return receipt_of(plan.whole, plan.disk, replace(done, warnings=plan.said), started)


def restore_disk(
    image: str,
    disk_spec: str,
    wishes: DiskWishes,
    *,
    numbers: Sequence[int] = (),
    settings: Settings,
    progress: Progress,
) -> DiskReceipt:
    """Plan and apply, for those who ask nobody in between. ``numbers``: these partitions alone."""
    with planned(
        image, disk_spec, wishes, numbers=numbers, settings=settings, progress=progress
    ) as plan:
        return apply(plan, progress=progress)


@dataclass(frozen=True, slots=True)
class _Work:
    """A plan that is being done, and who watches."""

    plan: DiskPlan
    progress: Progress
    task: Task
    cancel: Cancel

    def put(self, disk: Disk, numbers: Sequence[int]) -> tuple[Receipt, ...]:
        """Restore the images of these partitions, in this order."""
        return tuple(self._put_one(disk, number) for number in numbers)

    def _put_one(self, disk: Disk, number: int) -> Receipt:
        self.task.step(restoring(number))
        with partition_device(disk, find_partition(disk, number)) as device:
            receipt = self.restored(self.plan.images[number], device)
        receipts.keep(receipt)
        return receipt

    def restored(self, image: Image, target: Path) -> Receipt:
        wishes = self.plan.wishes
        return restore(
            image,
            target,
            progress=self.progress,
            verify=wishes.read_back,
            delta=wishes.delta,
            cancel=self.cancel,
        )


def _restore_whole(work: _Work, whole: WholeDisk, sized: SizedDisk) -> Done:
    plan = work.plan
    work.cancel.check()
    work.task.step(TABLE)
    view = planned_view(plan.disk, sized.plan)
    first, esps = in_order(sized)
    starts = [find_partition(view, part.number).start_bytes for part in esps]
    with plan.memory.aside(plan.disk) if plan.memory else nullcontext():
        refuse_changed(sized.plan)
        disarm(plan.disk, starts, [part.number for part in sized.plan.partitions if part.kept])
        there = apply_table(sized.plan)
    done = work.put(there, [part.number for part in first])
    work.task.step(FILL)
    after = (*_made(there, sized), *_grown(there, first))
    done += work.put(there, [part.number for part in esps])
    work.task.step(STARTS)
    after += _grown(there, esps)
    write_gaps(there, whole.gaps)
    return Done(sized.plan.changes, done, after)


def _made(disk: Disk, sized: SizedDisk) -> list[str]:
    """Swap under its old UUID and label, for the restored system looks for it; what is left."""
    said = []
    for part in sized.parts:
        if part.content is Content.SWAP:
            with partition_device(disk, find_partition(disk, part.number)) as device:
                made = make_swap(device, label=part.label, uuid=part.uuid)
            said.append(f"partition {part.number}: swap {made.uuid}")
    said += [
        f"partition {part.number}: a CACHE without a filesystem, `og cache format` makes it"
        for part in sized.plan.partitions
        if part.type == types.CACHE and part.fresh
    ]
    return said


def _grown(disk: Disk, parts: Sequence[DiskPart]) -> tuple[str, ...]:
    """What was grown. What refuses it is said: its content is proven, and the disk must start."""
    said = []
    for part in parts:
        roomy = part.is_image and part.size_bytes > part.required_bytes
        if roomy and can_grow(part) and not fixed_as(part, disk.table):
            where = f"partition {part.number}"
            with partition_device(disk, find_partition(disk, part.number)) as device:
                try:
                    if grow_filesystem(device):
                        said.append(f"{where}: its filesystem fills it")
                except OgError as error:
                    said.append(f"{where}: its filesystem was not grown: {error.message}")
    return tuple(said)


def _restore_raw(image: Image, work: _Work, started: float) -> DiskReceipt:
    """A raw copy goes onto the disk as it is; the end of a GPT moves to that of a larger disk."""
    disk = work.plan.disk
    work.task.step(WHOLE)
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
    identity = ImageIdentity(
        receipt.image, receipt.version, receipt.signed_by, receipt.source, receipt.warnings
    )
    return receipt_of(identity, disk, Done(changes, (receipt,), after, said), started)
