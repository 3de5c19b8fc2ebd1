# SPDX-License-Identifier: GPL-3.0-or-later
"""A verb that is a job: planned, shown or asked about, done by the same ``perform`` as any."""

from __future__ import annotations

from dataclasses import dataclass

from oglib.cli.context import Context
from oglib.deploy.jobs import Job
from oglib.deploy.planned import FinishedJob, PlannedJob
from oglib.deploy.work import perform
from oglib.errors import OgError
from oglib.views.target import facts_of


@dataclass(frozen=True, slots=True)
class Doing:
    """``finished`` None: a dry run, which stopped where the job was ``planned``."""

    planned: PlannedJob
    finished: FinishedJob | None


def do(context: Context, job: Job) -> Doing:
    """Do ``job`` for a person: its plan is asked about, and ``--dry-run`` stops there.

    Raises where the answer is not yes.
    """
    seen: list[PlannedJob] = []

    def approve(planned: PlannedJob) -> bool:
        seen.append(planned)
        if getattr(context.args, "dry_run", False):
            for warning in planned.warnings:
                context.warn(warning)
            return False
        context.tell(planned.way)
        if planned.question:
            context.confirm(planned.question, lambda: [*_facts(planned), *planned.changes])
        return True

    finished = perform(
        job, context.settings, progress=context.progress, approve=approve, tell=context.tell
    )
    if not seen:
        raise OgError(f"{type(job).__name__} is not planned before it is done.")
    return Doing(seen[-1], finished)


def _facts(planned: PlannedJob) -> list[str]:
    """What would be lost; looked for only where somebody is asked."""
    return facts_of(planned.disk, planned.part) if planned.disk else []
