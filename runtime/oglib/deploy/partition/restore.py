# SPDX-License-Identifier: GPL-3.0-or-later
"""Put an image back onto a partition or a file; prove an image, or a target against it.

A restore is planned first: the image opened and judged, the target looked at, everything asked
that can be refused. The plan is a value; what is shown and asked about is what is then done.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from oglib.cancel import NEVER, Cancel
from oglib.deploy import receipts, sentences
from oglib.deploy.itself import refuse_itself
from oglib.deploy.opening.memory import Memory, of_this_pc
from oglib.deploy.opening.opened import opened
from oglib.deploy.partition.checks import (
    Checked,
    Wishes,
    check_free,
    check_growable,
    check_restorable,
    check_size,
)
from oglib.deploy.partition.subject import find_source
from oglib.disk.find import find_disk, find_partition
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.writing.table import apply_table, refuse_moved
from oglib.errors import FilesystemError, OgError, UsageError
from oglib.filesystem.resize import grow_filesystem
from oglib.filesystem.sizes import size_of
from oglib.image.any import Image
from oglib.image.proving.verify import Verified, verify
from oglib.image.proving.verify_stream import DiffersError
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore import restore
from oglib.progress import Progress, Task
from oglib.settings import Settings

_TYPE, _FILL = "set the partition's type", "fill the partition"


@dataclass(frozen=True, slots=True)
class Request:
    """One restore as asked for. Without ``part`` the disk is a volume, or holds no partitions."""

    disk: str
    part: str | None
    read_back: bool = True
    delta: bool = False
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A restore that was checked; the image stays open while the block of ``planned`` lasts.

    ``part`` None: the target is ``disk`` itself. ``checked``: the type that has to be set first,
    and what to warn of. ``memory`` keeps the image's version when it is restored.
    """

    request: Request
    image: Image
    disk: Disk
    part: Partition | None
    checked: Checked
    memory: Memory

    @property
    def target(self) -> str:
        """What is overwritten, for questions."""
        if self.part is None:
            return self.disk.describe()
        return f"partition {self.part.number} of {self.disk.describe()}"

    @property
    def steps(self) -> tuple[str, ...]:
        """The same for whoever watches."""
        return (
            *((_TYPE,) if self.checked.table else ()),
            f"restore {self.image.title}",
            *((_FILL,) if self.request.wishes.grow else ()),
        )

    @property
    def changes(self) -> tuple[str, ...]:
        """What will be done, a sentence each."""
        table = self.checked.table.changes if self.checked.table else ()
        return (*table, f"Restore {self.image.title} to {self.target}")


def plan(request: Request, image: Image, settings: Settings, memory: Memory) -> RestorePlan:
    """Look at the target and refuse what can be refused; changes nothing."""
    disk, part = _target(request, image, settings)
    refuse_itself(image.files, disk.path)
    if part is None:
        check_free(disk)
        check_size(image, disk.describe(), disk.size_bytes)
        if request.wishes.grow:
            check_growable(image)
        return RestorePlan(request, image, disk, None, Checked(), memory)
    checked = check_restorable(image, disk, part, request.wishes)
    if checked.table is None:
        check_free(disk, part)
    else:
        with memory.aside(disk):
            check_free(find_disk(request.disk, rules=settings.disk_rules))
    return RestorePlan(request, image, disk, part, checked, memory)


def _target(request: Request, image: Image, settings: Settings) -> tuple[Disk, Partition | None]:
    if request.part is not None:
        disk = find_disk(request.disk, rules=settings.disk_rules)
        return disk, find_partition(disk, request.part)
    disk, part = find_source(request.disk, None, settings, holds=f"the image {image.name}")
    if part is None and disk.number and not disk.filesystem and "/" not in request.disk:
        # by its number a blank disk is named by somebody who forgot the partition
        raise UsageError(
            f"{disk.describe()} has no partitions, and the image {image.name} is that of one.",
            hint="`og deploy IMAGE DISK PART --layout LAYOUT` makes them; "
            f"{disk.path} means all of the disk.",
        )
    return disk, part


def apply(plan: RestorePlan, *, progress: Progress, cancel: Cancel = NEVER) -> Receipt:
    """Do what was planned: set the type, restore, grow. The receipt is kept in any case."""
    receipt = _applied(plan, progress, cancel)
    return replace(receipt, warnings=(*receipt.warnings, *plan.memory.keep()))


def _applied(plan: RestorePlan, progress: Progress, cancel: Cancel) -> Receipt:
    disk, part = plan.disk, plan.part
    with held(disk, part):
        refuse_moved(disk, part)
        system = sentences.short_system(plan.image.origin.os)
        task = progress.task(sentences.onto(system, plan.image.title, disk, part), plan.steps)
        order = _Order(plan.image, plan.request, progress, task, cancel)
        if part is None:
            return order.run(disk.path, (), plan.checked.warnings)
        after: tuple[str, ...] = ()
        if plan.checked.table is not None:
            task.step(_TYPE)
            after = plan.checked.table.changes
            with plan.memory.aside(disk):
                disk = apply_table(plan.checked.table)
            part = find_partition(disk, part.number)
        with partition_device(disk, part) as device:
            return order.run(device, after, plan.checked.warnings)


def put_back(text: str, request: Request, *, settings: Settings, progress: Progress) -> Receipt:
    """Open the image that ``text`` names, plan and apply, for those who ask nobody in between."""
    memory = of_this_pc(settings)
    with opened(text, settings, memory) as image:
        checked = plan(request, image.sized(progress), settings, memory)
        return apply(checked, progress=progress)


@dataclass(frozen=True, slots=True)
class _Order:
    """A restore as it was asked for, whatever it goes to."""

    image: Image
    request: Request
    progress: Progress
    task: Task
    cancel: Cancel

    def run(self, device: Path, before: tuple[str, ...], warnings: tuple[str, ...]) -> Receipt:
        """Restore and grow; the receipt is kept even when growing fails."""
        asked = self.request
        self.task.step(f"restore {self.image.title}")
        receipt = restore(
            self.image,
            device,
            progress=self.progress,
            verify=asked.read_back,
            delta=asked.delta,
            cancel=self.cancel,
        )
        receipt = replace(receipt, after=before, warnings=(*receipt.warnings, *warnings))
        try:
            if asked.wishes.grow:
                self.task.step(_FILL)
            if asked.wishes.grow and grow_filesystem(device):
                receipt = replace(receipt, after=(*before, "the filesystem fills its partition"))
        finally:
            receipts.keep(receipt)
        return receipt


def prove(
    image: str,
    disk_spec: str | None,
    part_spec: str | None,
    *,
    settings: Settings,
    progress: Progress,
) -> Verified:
    """Check an image against its digests or, with a target, the target against the image."""
    with opened(image, settings) as found:
        if disk_spec is None:
            return verify(found, progress=progress)
        if part_spec is None:
            refuse_itself(found.files, Path(disk_spec))
            return _proven(found, Path(disk_spec), progress)
        disk = find_disk(disk_spec, rules=settings.disk_rules)
        refuse_itself(found.files, disk.path)
        with partition_device(disk, find_partition(disk, part_spec)) as device:
            return _proven(found, device, progress)


def _proven(image: Image, device: Path, progress: Progress) -> Verified:
    try:
        return verify(image, device, progress=progress)
    except DiffersError as error:
        if not is_grown(image, device):
            raise
        raise OgError(
            f"{device} differs from the image {image.name} in {error.different} of "
            f"{error.regions} regions: its filesystem is larger, as growing makes it, and what "
            "else differs cannot be told from that.",
            hint="Restore it without letting it grow what shall be provable.",
            code=error.code,
        ) from error


def is_grown(image: Image, device: Path) -> bool:
    """Whether the filesystem on ``device`` is larger than that in ``image``."""
    try:
        return is_larger(size_of(device), image.info)
    except FilesystemError:  # there is none to be seen: it may be what differs
        return False


def is_larger(now_bytes: int, info: ImageInfo) -> bool:
    """Whether a filesystem of ``now_bytes`` is larger than the one in the image.

    By a block at least: NTFS has sectors behind its last whole cluster, which no image counts.
    """
    was = info.total_blocks * info.block_size or info.required_bytes
    return was > 0 and now_bytes > was + info.block_size
