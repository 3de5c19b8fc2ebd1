# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that starts an installed system."""

from __future__ import annotations

from oglib.deploy import sentences
from oglib.deploy.jobs import Boot
from oglib.deploy.planned import FinishedJob, Given, PlannedJob
from oglib.deploy.system.start import plan_start, start
from oglib.disk.find import find_partition


def do_boot(job: Boot, given: Given) -> FinishedJob | None:
    """Start the system on a partition; what comes after is no longer ours."""
    disk = given.disk(job.disk)
    part = find_partition(disk, job.part)
    plan = plan_start(disk, part, how=job.how)
    if not given.approve(PlannedJob(plan.changes, disk=disk, part=part, plan=plan)):
        return None
    given.cancel.check()
    done = start(plan)
    return FinishedJob(f"Starting: {sentences.short_system(done.system)}", done)
