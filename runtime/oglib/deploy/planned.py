# SPDX-License-Identifier: GPL-3.0-or-later
"""A job on its way, as values: what it is done with, what was planned, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oglib.cache.turn import Tell
from oglib.cancel import Cancel
from oglib.deploy.examine import InventoryResult
from oglib.deploy.hardware.adapt import Adaptation
from oglib.deploy.library.update import Updated
from oglib.deploy.partition.capture import Created
from oglib.deploy.partition.restore import RestorePlan
from oglib.deploy.system import plan as system_plan
from oglib.deploy.system.configure import (
    Configuration,
)
from oglib.deploy.system.deploy import Deployed
from oglib.deploy.system.start import Started, StartPlan
from oglib.deploy.whole_disk.capture import CreatedDisk
from oglib.deploy.whole_disk.plan import DiskPlan
from oglib.deploy.whole_disk.receipt import DiskReceipt
from oglib.disk import model as disks
from oglib.disk.find import find_disk
from oglib.disk.model import Disk
from oglib.disk.planning.planned import TablePlan
from oglib.errors import OgErr
from oglib.fitting.steps import Step
from oglib.image.writing.receipt import Receipt
from oglib.progress import Progress
from oglib.settings import Settings

Plan = (
    system_plan.Plan | RestorePlan | DiskPlan | Configuration | Adaptation | TablePlan | StartPlan
)


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job that was checked, before its first write.

    ``changes``: what will be done, a sentence each. ``question``: what to ask a person whose data
    it costs; empty where it costs nobody any. ``disk`` and ``part``: what is overwritten.
    ``status``: how it would end, if it does as planned. ``plan``: all of it, where there is more.
    ``way``: how the image comes and why, a sentence each.
    """

    changes: tuple[str, ...]
    question: str = ""
    disk: Disk | None = None
    part: disks.Partition | None = None
    warnings: tuple[str, ...] = ()
    status: int = 0
    plan: Plan | None = None
    way: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """All that is done, in its order."""
        return (*self.way, *self.changes)


# Whether it shall be done; raises where whoever is asked says no.
Approve = Callable[[PlannedJob], bool]
Done = (
    Deployed
    | Receipt
    | DiskReceipt
    | Created
    | CreatedDisk
    | Updated
    | tuple[Step, ...]
    | Disk
    | InventoryResult
    | Started
)


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """How a job ended: one sentence, what should be known beside it, and the use case's answer.

    ``status``: 0; NOTFITTED where the system is restored and not fitted, which ends the job as
    well; any other number where not all of it was done.
    """

    sentence: str
    done: Done
    notes: tuple[str, ...] = ()
    status: int = 0

    @property
    def is_over(self) -> bool:
        """Whether what was asked for is done, so that the PC may go on."""
        return self.status in (0, OgErr.NOTFITTED)


@dataclass(frozen=True, slots=True)
class Given:
    """What every job is done with."""

    settings: Settings
    progress: Progress
    approve: Approve
    cancel: Cancel
    tell: Tell

    def disk(self, spec: str) -> Disk:
        return find_disk(spec, rules=self.settings.disk_rules)
