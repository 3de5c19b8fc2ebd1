# SPDX-License-Identifier: GPL-3.0-or-later
"""``og os configure`` and ``og os adapt``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.deploy.hardware.adapt import Adaptation
from oglib.deploy.jobs import Adapt, Configure
from oglib.deploy.system.configure import Configuration
from oglib.errors import OgErr
from oglib.fitting.edits import shown
from oglib.fitting.steps import Outcome, Step
from oglib.views.output import plain
from oglib.views.steps import steps_text

if TYPE_CHECKING:
    from oglib.cli.doing import Doing


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "os", "installed systems")
    made = verb(verbs, "configure", _configure, "fit the system on a partition to this PC")
    add_disk(made)
    add_partition(made)
    made.add_argument("--hostname", default="", help="default: what this boot was told, or kept")
    made.add_argument(
        "--step",
        action="append",
        default=[],
        metavar="NAME",
        help="this one alone; may be repeated",
    )
    made.add_argument(
        "--dry-run", action="store_true", help="print the steps and what they change, and stop"
    )
    made = verb(verbs, "adapt", _adapt, "give the system on a partition drivers for other hardware")
    add_disk(made)
    add_partition(made)
    made.add_argument(
        "--for",
        dest="hardware",
        choices=("this", "any"),
        default="this",
        help="this PC's disk (the default), or any PC and the usual virtual ones",
    )
    made.add_argument("--dry-run", action="store_true", help="print the step, and stop")


def _configure(context: Context) -> Result:
    from oglib.cli.doing import do  # noqa: PLC0415 - only a job needs all of it

    args = context.args
    hostname = args.hostname or context.settings.hostname
    return _stepped(
        context, do(context, Configure(args.disk, args.part, hostname, tuple(args.step)))
    )


def _adapt(context: Context) -> Result:
    from oglib.cli.doing import do  # noqa: PLC0415 - only a job needs all of it

    args = context.args
    return _stepped(context, do(context, Adapt(args.disk, args.part, args.hardware)))


def _stepped(context: Context, doing: Doing) -> Result:
    """Each step as it was foreseen, with what changes; or as it was done."""
    plan = doing.planned.plan
    assert isinstance(plan, Configuration | Adaptation)  # noqa: S101 - for the type checker
    notes = plan.notes if isinstance(plan, Configuration) else ()
    if doing.finished is None:
        data = {"steps": plain(plan.steps), "diff": shown(plan.diff), "notes": list(notes)}
        return Result(data, steps_text(plan.steps), status_of(plan.steps), plan.diff)
    for note in notes:
        context.warn(note)
    steps = doing.finished.done
    assert isinstance(steps, tuple)  # noqa: S101 - as above
    data = {"steps": plain(steps), "notes": list(notes)}
    return Result(data, steps_text(steps), status_of(steps))


def status_of(steps: Sequence[Step]) -> int:
    """A failed step is a failed command, whatever else went well."""
    failed = any(step.outcome is Outcome.FAILED for step in steps)
    return int(OgErr.GENERIC) if failed else 0
