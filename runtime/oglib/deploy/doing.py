# SPDX-License-Identifier: GPL-3.0-or-later
"""How each job is done: looked at and planned, approved, and then done as it was planned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

from oglib.cache.partition import Places
from oglib.deploy import sentences
from oglib.deploy.jobs import Create, Deploy, Partition, Restore, UpdateCache
from oglib.deploy.library.bringing import Bringing, asked_way, brought, decide, refuse_own_cache
from oglib.deploy.library.cache import opened_cache
from oglib.deploy.library.update import planned_update, update_cache
from oglib.deploy.opening.memory import Memory, of_this_pc
from oglib.deploy.opening.opened import opened_as
from oglib.deploy.opening.reference import Reference, reference_of
from oglib.deploy.partition import capture, restore
from oglib.deploy.partition.checks import Wishes, check_free
from oglib.deploy.partition.restore import RestorePlan
from oglib.deploy.partition.subject import find_source, is_one_filesystem
from oglib.deploy.planned import FinishedJob, Given, PlannedJob
from oglib.deploy.system import plan as system_plan
from oglib.deploy.system.deploy import deploy
from oglib.deploy.system.layouts import read_layout
from oglib.deploy.whole_disk import capture as disk_capture
from oglib.deploy.whole_disk import plan as disk_plan
from oglib.deploy.whole_disk import restore as disk_restore
from oglib.deploy.whole_disk.image import is_disk_copy, opened_any
from oglib.deploy.whole_disk.plan import DiskPlan, DiskWishes
from oglib.deploy.whole_disk.whole import WholeDisk
from oglib.disk import model as disks
from oglib.disk.find import find_disk
from oglib.disk.lock import held
from oglib.disk.model import Disk
from oglib.disk.planning.plan import plan_layout
from oglib.disk.writing.table import apply_table, check_drafted
from oglib.errors import OgErr, UsageError
from oglib.fitting.steps import Outcome
from oglib.image.any import Image
from oglib.settings import Settings
from oglib.transfer.upload import read_token


def do_deploy(job: Deploy, given: Given) -> FinishedJob | None:
    """Partition, restore and fit."""
    request = system_plan.Request(
        job.disk, job.part, layout=job.layout, hostname=job.hostname, read_back=job.read_back
    )
    asked, way = _asked(job, given)
    memory = _memory(way, given)
    with opened_as(asked, given.settings, memory) as image:
        plan = system_plan.plan(
            request,
            image.sized(given.progress, given.cancel),
            given.settings,
            progress=given.progress,
            memory=memory,
            cancel=given.cancel,
        )
        if way is not None and plan.table is not None:
            refuse_own_cache(way, plan.disk, plan.table)
        planned = PlannedJob(
            plan.changes,
            f"Deploy {plan.image.title} to {plan.disk.describe()}?",
            plan.disk,
            warnings=plan.warnings,
            status=OgErr.NOTFITTED if plan.not_fitted else 0,
            plan=plan,
            way=way.lines if way else (),
        )
        if not given.approve(planned):
            return None
        comes: AbstractContextManager[Image] = nullcontext(plan.image)
        if way is not None and way.is_brought:
            comes = brought(way, plan.image, given, memory)
        with comes as copy:
            ready = replace(plan, image=copy)
            done = deploy(ready, progress=given.progress, cancel=given.cancel)
    failed = [step for step in done.steps if step.outcome is Outcome.FAILED]
    notes = (
        *(way.lines if way and way.choice.fell_back else ()),
        *done.receipt.warnings,
        *(f"Not done: {step.name}: {step.detail}" for step in failed),
    )
    if done.ready:
        return FinishedJob(done.ready, done, notes)
    sentence = f"{plan.image.title} is on {plan.disk.describe()}, partition {plan.number}"
    if failed:
        return FinishedJob(f"{sentence}, and cannot be started yet.", done, notes, OgErr.GENERIC)
    return FinishedJob(
        f"{sentence}: restored, not fitted: {done.not_fitted}.", done, notes, OgErr.NOTFITTED
    )


def _memory(way: Bringing | None, given: Given) -> Memory:
    """What comes directly comes past the cache, whatever that has."""
    memory = of_this_pc(given.settings)
    memory.uses_cache = way is None or way.uses_cache
    return memory


def _asked(job: Deploy | Restore, given: Given) -> tuple[Reference, Bringing | None]:
    """What is opened for the image of a partition, and how that comes where anybody says.

    What this boot says is about images of a repository or share; a job that says it of a file of
    this PC's own is refused.
    """
    image = reference_of(job.image, given.settings)
    if image.is_own_file:
        if job.method:
            raise UsageError(
                f"{job.image} is a file of this PC: it is restored from where it is.",
                hint="Name an image of the repository, or leave --method out.",
            )
        return image, None
    asked = asked_way(job.method, given.settings)
    if asked is None:
        return image, None
    way = decide(image, asked, given.settings, fallback=job.fallback, tell=given.tell)
    return way.opens, way


def do_restore(job: Restore, given: Given) -> FinishedJob | None:
    """Put back, whatever the image turns out to be of."""
    if job.part is None:  # that of a whole disk comes as it always did
        if job.method:
            raise UsageError(
                "--method is for the image of one partition.", hint="Name it: IMAGE DISK PART."
            )
        asked, way = None, None
    else:
        asked, way = _asked(job, given)
    memory = _memory(way, given)
    with _planned_restore(job, given, memory, asked) as plan:
        if isinstance(plan, DiskPlan):
            planned = PlannedJob(
                plan.changes,
                f"Overwrite {plan.disk.describe()} with {job.image}?",
                plan.disk,
                warnings=plan.warnings,
                plan=plan,
            )
            if not given.approve(planned):
                return None
            given.cancel.check()
            disk = disk_restore.apply(plan, progress=given.progress, cancel=given.cancel)
            return FinishedJob(sentences.ready(plan.system, plan.image), disk, disk.warnings)
        planned = PlannedJob(
            plan.changes,
            f"Overwrite {plan.target} with {job.image}?",
            plan.disk,
            plan.part,
            (*plan.image.warnings, *plan.checked.warnings),
            plan=plan,
            way=way.lines if way else (),
        )
        if not given.approve(planned):
            return None
        given.cancel.check()
        comes: AbstractContextManager[Image] = nullcontext(plan.image)
        if way is not None and way.is_brought:
            comes = brought(way, plan.image, given, memory)
        with comes as copy:
            ready = replace(plan, image=copy)
            part = restore.apply(ready, progress=given.progress, cancel=given.cancel)
        sentence = sentences.ready(sentences.system_in(plan.image), plan.image.title)
        fell = way.lines if way and way.choice.fell_back else ()
        return FinishedJob(sentence, part, (*fell, *part.warnings))


@contextmanager
def _planned_restore(
    job: Restore, given: Given, memory: Memory, asked: Reference | None
) -> Iterator[RestorePlan | DiskPlan]:
    """Open what is named once, and plan by what it turned out to be.

    ``asked``: what is opened for one partition; None: it may be the image of a whole disk.
    """
    settings, progress = given.settings, given.progress
    if job.parts and job.part is not None:
        raise UsageError("A restore is of one partition or of some of a disk, not of both.")
    if job.parts:
        with disk_plan.planned(
            job.image, job.disk, _of_disk(job), numbers=job.parts, settings=settings,
            progress=progress, cancel=given.cancel,
        ) as parts:  # fmt: skip
            yield parts
        return
    opening = (
        opened_any(job.image, settings, memory)
        if asked is None
        else opened_as(asked, settings, memory)
    )
    with opening as found:
        if isinstance(found, WholeDisk):
            with disk_plan.planned_on(
                found, job.disk, _of_disk(job), settings=settings, progress=progress,
                memory=memory, cancel=given.cancel,
            ) as whole:  # fmt: skip
                yield whole
        elif job.part is None and is_disk_copy(found):
            yield disk_plan.plan_copy(
                found.sized(progress, given.cancel), job.disk, _of_disk(job), settings, memory
            )
        else:
            wishes = Wishes(job.grow, job.set_type, job.other_firmware)
            request = restore.Request(job.disk, job.part, job.read_back, job.delta, wishes)
            yield restore.plan(request, found.sized(progress, given.cancel), settings, memory)


def _of_disk(job: Restore) -> DiskWishes:
    return DiskWishes(
        read_back=job.read_back,
        delta=job.delta,
        grow=not job.keep_size,
        other_firmware=job.other_firmware,
    )


def do_create(job: Create, given: Given) -> FinishedJob | None:
    """Capture a partition or a whole disk."""
    settings = given.settings
    if not job.destination or "://" in job.destination:
        read_token(settings.upload_token)  # first of all: without it there is no end
    disk, part, whole = _source(job, settings)
    changes = (f"Capture {sentences.place(disk, part)} as {job.image}",)
    if not given.approve(PlannedJob(changes, disk=disk, part=part)):
        return None
    if whole:
        made = disk_capture.create_disk(
            job.disk, job.image, destination=job.destination, title=job.title,
            comment=job.comment, settings=settings, progress=given.progress, cancel=given.cancel,
        )  # fmt: skip
        version = f" version {made.version}" if made.version else ""
        return FinishedJob(f"Captured: {made.name}{version}, {made.where}", made, made.warnings)
    wishes = capture.CaptureWishes(
        title=job.title, comment=job.comment, parent=job.parent, format=job.format, raw=job.raw,
        dirty=job.dirty, shrink=job.shrink,
    )  # fmt: skip
    one = capture.create(
        job.disk, job.part, job.image, destination=job.destination, settings=settings,
        progress=given.progress, wishes=wishes, cancel=given.cancel,
    )  # fmt: skip
    return FinishedJob(f"Captured: {one.text}", one, one.warnings)


def _source(job: Create, settings: Settings) -> tuple[Disk, disks.Partition | None, bool]:
    """What is captured, and whether it is a whole disk; what is asked of one partition fits it."""
    if job.part is not None or is_one_filesystem(job.disk, settings):
        return *find_source(job.disk, job.part, settings), False
    of_a_partition = ("parent", "format", "raw", "dirty", "shrink")
    if asked := next((name for name in of_a_partition if getattr(job, name)), ""):
        raise UsageError(f"--{asked} is for one partition.", hint="Name it: DISK PART NAME.")
    return find_disk(job.disk, rules=settings.disk_rules), None, True


def do_update_cache(job: UpdateCache, given: Given) -> FinishedJob | None:
    """Bring an image into the cache."""
    places = Places.from_environment()
    with opened_cache(given.settings, places, tell=given.tell) as cache:
        given.tell(cache.recovered)
        with planned_update(job.image, cache, given.settings) as plan:
            if not given.approve(PlannedJob(plan.changes, warnings=plan.incoming.warnings)):
                return None
            done = update_cache(
                plan, cache, settings=given.settings, places=places, progress=given.progress,
                cancel=given.cancel,
            )  # fmt: skip
            done = replace(done, recovered=cache.recovered)
    sentence = f"In the cache: {done.entry.name} version {done.version}"
    return FinishedJob(sentence if done.changed else f"{sentence}, as before", done, done.said)


def do_partition(job: Partition, given: Given) -> FinishedJob | None:
    """Write the table of a layout."""
    disk = given.disk(job.disk)
    layout = read_layout(job.layout, given.settings, disk)
    plan = plan_layout(layout, disk, replace_damaged=job.replace_damaged)
    sentence = f"Partitioned: {sentences.place(disk)}"
    if not plan.nothing_to_change:
        check_free(disk)
        check_drafted(plan, disk)
    question = "" if plan.nothing_to_change else f"Partition {disk.describe()}?"
    if not given.approve(PlannedJob(plan.changes, question, disk, plan=plan)):
        return None
    if plan.nothing_to_change:
        return FinishedJob(f"{sentence}, as before", disk, plan.notes)
    given.cancel.check()
    with held(disk):
        return FinishedJob(sentence, apply_table(plan), plan.notes)
