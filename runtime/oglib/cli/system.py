# SPDX-License-Identifier: GPL-3.0-or-later
"""``og os configure``."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.deploy.jobs import Configure
from oglib.deploy.system.configure import Configuration
from oglib.errors import OgErr
from oglib.fitting.edits import shown
from oglib.fitting.steps import Outcome, Step
from oglib.views.output import plain
from oglib.views.steps import told


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


def _configure(context: Context) -> Result:
    from oglib.cli.doing import do  # noqa: PLC0415 - only a job needs all of it

    args = context.args
    hostname = args.hostname or context.settings.hostname
    doing = do(context, Configure(args.disk, args.part, hostname, tuple(args.step)))
    plan = doing.planned.plan
    assert isinstance(plan, Configuration)  # noqa: S101 - for the type checker
    if doing.finished is None:
        data = {"steps": plain(plan.steps), "diff": shown(plan.diff), "notes": list(plan.notes)}
        return Result(data, told(plan.steps, plan.diff), status_of(plan.steps))
    for note in plan.notes:
        context.warn(note)
    steps = doing.finished.done
    assert isinstance(steps, tuple)  # noqa: S101 - as above
    data = {"steps": plain(steps), "notes": list(plan.notes)}
    return Result(data, told(steps), status_of(steps))


def status_of(steps: Sequence[Step]) -> int:
    """A failed step is a failed command, whatever else went well."""
    failed = any(step.outcome is Outcome.FAILED for step in steps)
    return int(OgErr.GENERIC) if failed else 0
