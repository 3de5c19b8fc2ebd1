# SPDX-License-Identifier: GPL-3.0-or-later
"""How a job is done, whoever gave it: planned, approved by whom it concerns, and then done.

``perform`` is called by the commands of a person, by the job of a boot, and by whoever takes jobs
from a server. Between plan and first write stands ``approve``: it gets all that will be done, may
show it, ask, or raise, and says whether it shall be done.
"""

from __future__ import annotations

from oglib.cache.turn import Tell, silent
from oglib.cancel import NEVER, Cancel
from oglib.deploy.booting import do_boot
from oglib.deploy.doing import (
    do_create,
    do_deploy,
    do_partition,
    do_restore,
    do_update_cache,
)
from oglib.deploy.examine import examined
from oglib.deploy.fitting_jobs import do_adapt, do_configure
from oglib.deploy.jobs import (
    Adapt,
    Boot,
    Configure,
    Create,
    Deploy,
    Inventory,
    Job,
    Partition,
    Restore,
    UpdateCache,
)
from oglib.deploy.leaving import leave
from oglib.deploy.planned import Approve, FinishedJob, Given
from oglib.progress import Progress
from oglib.settings import Settings


def perform(
    job: Job,
    settings: Settings,
    *,
    progress: Progress,
    approve: Approve,
    cancel: Cancel = NEVER,
    tell: Tell = silent,
) -> FinishedJob | None:
    """Plan the job, have it approved, do it. None: it was not approved, and nothing was changed.

    ``cancel`` ends it between two pieces of its work, as an interruption would: the same job goes
    on from there. ``tell`` gets for whom it waits, and what was repaired on the way.
    """
    given = Given(settings, progress, approve, cancel, tell)
    cancel.check()
    match job:
        case Deploy():
            return do_deploy(job, given)
        case Restore():
            return do_restore(job, given)
        case Create():
            return do_create(job, given)
        case UpdateCache():
            return do_update_cache(job, given)
        case Configure():
            return do_configure(job, given)
        case Adapt():
            return do_adapt(job, given)
        case Partition():
            return do_partition(job, given)
        case Boot():
            return do_boot(job, given)
        case Inventory():
            found = examined(job, settings)
            return FinishedJob(found.sentence, found, found.notes)


def end_of_job(after: str) -> None:
    """``reboot``, ``poweroff`` or ``stay``; only called when the job succeeded."""
    if after == "stay":
        return
    leave(after)
