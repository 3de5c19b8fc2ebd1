# SPDX-License-Identifier: GPL-3.0-or-later
"""What a layout puts beside the system: its ESP and swap, created fresh or kept."""

from __future__ import annotations

from oglib.disk.find import find_partition
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.planning.planned import PlannedPartition, TablePlan
from oglib.disk.starts import ESP
from oglib.filesystem.kinds import USUAL_FOR_TYPE
from oglib.filesystem.make import format_filesystem, make_swap
from oglib.fitting.steps import Outcome, Step
from oglib.progress import Task


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
            task.step(making(planned))
        with partition_device(disk, find_partition(disk, planned.number)) as device:
            if planned.type == "LINUX-SWAP":
                made = make_swap(device, uuid=swap_uuid)
                swap_uuid = ""  # a second swap gets a UUID of its own
            else:
                made = format_filesystem(device, made_kind(planned), label="EFI")
        steps.append(Step(name, Outcome.DONE, f"{made.kind} {made.uuid}"))
    return steps


def companions(table: TablePlan, root: int) -> tuple[PlannedPartition, ...]:
    """ESP and swap that a layout puts beside the system on partition ``root``."""
    return tuple(
        planned
        for planned in table.partitions
        if planned.number != root and planned.type in (ESP, "LINUX-SWAP")
    )


def making(planned: PlannedPartition) -> str:
    """The step in words."""
    return f"format partition {planned.number} ({planned.type})"


def made_kind(planned: PlannedPartition) -> str:
    """Which filesystem is made on a companion."""
    return USUAL_FOR_TYPE[planned.type]
