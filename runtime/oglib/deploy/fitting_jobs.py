# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs that fit a system to a PC: what is its own, and what its initramfs knows of disks."""

from __future__ import annotations

from oglib.deploy import sentences
from oglib.deploy.again import planned_and_done
from oglib.deploy.hardware.adapt import Adaptation, apply_adaptation, plan_adaptation
from oglib.deploy.jobs import Adapt, Configure
from oglib.deploy.planned import FinishedJob, Given, PlannedJob
from oglib.deploy.system.configure import (
    Configuration,
    apply_configuration,
    plan_configuration,
)
from oglib.disk.find import find_partition
from oglib.disk.lock import held
from oglib.errors import OgErr
from oglib.fitting.steps import Outcome, Step


def do_configure(job: Configure, given: Given) -> FinishedJob | None:
    """Fit the system on a partition."""
    disk = given.disk(job.disk)
    part = find_partition(disk, job.part)
    where = sentences.place(disk, part)
    name = f" as {job.hostname}" if job.hostname else ""
    changes = (f"Fit the system on {where} to this PC{name}",)

    def look() -> Configuration:
        return plan_configuration(
            disk, part, hostname=job.hostname, only=job.steps, settings=given.settings
        )

    def do(plan: Configuration) -> tuple[Step, ...] | None:
        status = _foreseen(plan.steps)
        shown = PlannedJob(changes, "", disk, part, plan.notes, status=status, plan=plan)
        if not given.approve(shown):
            return None
        given.cancel.check()
        return apply_configuration(plan)

    with held(disk, part):
        plan, steps = planned_and_done(look, do)
    if steps is None:
        return None
    said = (f"Fitted: {where}", f"{where} is not fitted as a whole.")
    return _of_steps(steps, *said, plan.notes)


def do_adapt(job: Adapt, given: Given) -> FinishedJob | None:
    """Give the system on a partition an initramfs for other hardware."""
    disk = given.disk(job.disk)
    part = find_partition(disk, job.part)
    where = sentences.place(disk, part)
    whose = "any PC" if job.hardware == "any" else "this PC"
    changes = (f"Adapt the system on {where} to {whose}",)

    def look() -> Adaptation:
        return plan_adaptation(disk, part, anywhere=job.hardware == "any")

    def do(plan: Adaptation) -> tuple[Step, ...] | None:
        status = _foreseen(plan.steps)
        if not given.approve(PlannedJob(changes, disk=disk, part=part, status=status, plan=plan)):
            return None
        given.cancel.check()
        return apply_adaptation(plan)

    with held(disk, part):
        _, steps = planned_and_done(look, do)
    if steps is None:
        return None
    return _of_steps(steps, f"Adapted to {whose}: {where}", f"{where} is not adapted.")


def _foreseen(steps: tuple[Step, ...]) -> int:
    """How it would end, if it does as planned."""
    return int(OgErr.GENERIC) if any(one.outcome is Outcome.FAILED for one in steps) else 0


def _of_steps(
    steps: tuple[Step, ...], well: str, otherwise: str, known: tuple[str, ...] = ()
) -> FinishedJob:
    notes = tuple(
        f"Not done: {step.name}: {step.detail}" for step in steps if step.outcome is Outcome.FAILED
    )
    if notes:
        return FinishedJob(otherwise, steps, (*notes, *known), OgErr.GENERIC)
    return FinishedJob(well, steps, known)
