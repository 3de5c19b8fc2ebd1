# SPDX-License-Identifier: GPL-3.0-or-later
"""From a blank disk to a PC's own system: partition, restore, grow, configure, in that order.

Does what ``plan`` has checked, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oglib.cancel import NEVER, Cancel
from oglib.deploy import receipts, sentences
from oglib.deploy.again import planned_and_done
from oglib.deploy.partition.checks import planned_view
from oglib.deploy.system.companions import make_companions
from oglib.deploy.system.configure import (
    Configuration,
    apply_configuration,
    plan_configuration,
)
from oglib.deploy.system.plan import FILL, FIT, PARTITION, Plan
from oglib.deploy.whole_disk.boot_bytes import disarm
from oglib.disk.find import find_partition
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk
from oglib.disk.starts import ESP
from oglib.disk.writing.table import apply_table, refuse_changed, refuse_moved
from oglib.errors import OgError
from oglib.filesystem.resize import grow_filesystem
from oglib.fitting.steps import Outcome, Step
from oglib.image.writing.receipt import Receipt
from oglib.image.writing.restore import restore
from oglib.osconfig.linux.mounts import wanted_swap_uuid
from oglib.osconfig.opened_system import opened_root
from oglib.progress import Progress, Task


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


def deploy(planned: Plan, *, progress: Progress, cancel: Cancel = NEVER) -> Deployed:
    """Do what was planned. A failure before the restore's end leaves nothing bootable.

    What keeps the restored system from being fitted is in the result, not raised: the image is on
    the disk by then, and proven.
    """
    with held(planned.disk):
        done = _deploy(planned, progress, cancel)
    warnings = (*done.receipt.warnings, *planned.memory.keep())
    return replace(done, receipt=replace(done.receipt, warnings=warnings))


def _deploy(planned: Plan, progress: Progress, cancel: Cancel) -> Deployed:
    started = time.monotonic()
    task = progress.task(planned.title, planned.steps)
    cancel.check()
    disk = _partitioned(planned, task)
    part = find_partition(disk, planned.number)
    with partition_device(disk, part) as device:
        task.step(f"restore {planned.image.title}")
        receipt = restore(
            planned.image,
            device,
            progress=progress,
            verify=planned.request.read_back,
            cancel=cancel,
        )
        receipt = replace(receipt, warnings=planned.warnings)
        receipts.keep(receipt)
        task.step(FILL)
        steps = [_grown(device)]
        swap_uuid = "" if planned.not_fitted else _wanted_swap(device)
    if planned.table:
        steps += make_companions(disk, part, planned.table, swap_uuid, task)
    reason = planned.not_fitted
    if not reason:
        task.step(FIT)
        fitted, reason, notes = _fitted(planned, disk)
        steps += fitted
        receipt = replace(receipt, warnings=(*receipt.warnings, *notes))
    failed = reason or any(step.outcome is Outcome.FAILED for step in steps)
    ready = sentences.ready(planned.system, planned.image.title, planned.request.hostname)
    seconds = round(time.monotonic() - started, 3)
    return Deployed(receipt, tuple(steps), seconds, reason, "" if failed else ready)


def _partitioned(planned: Plan, task: Task) -> Disk:
    """The disk with its table. Where nothing is kept, nothing on it starts from here on."""
    if planned.table is None:
        refuse_moved(planned.disk, find_partition(planned.disk, planned.number))
        return planned.disk
    task.step(PARTITION)
    with planned.memory.aside(planned.disk):
        refuse_changed(planned.table)
        if not any(part.kept for part in planned.table.partitions):
            view = planned_view(planned.disk, planned.table)
            disarm(planned.disk, [one.start_bytes for one in view.partitions if one.type == ESP])
        return apply_table(planned.table)


def _fitted(planned: Plan, disk: Disk) -> tuple[Sequence[Step], str, tuple[str, ...]]:
    """The steps that fit the system; or why it cannot be fitted, and nothing was written.

    Last, what should be known of how its fitting was tried.
    """
    # what was found on it before is no longer there
    part = replace(find_partition(disk, planned.number), filesystem="", label="", uuid="")

    def look() -> Configuration:
        return plan_configuration(
            disk,
            part,
            hostname=planned.request.hostname,
            firmware=planned.firmware,
            settings=planned.settings,
        )

    try:
        configuration, steps = planned_and_done(look, apply_configuration)
        return steps, "", configuration.notes
    except OgError as error:
        return (), error.message.rstrip("."), ()


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
