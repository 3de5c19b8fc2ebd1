# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that a netboot entry carries, ``ogjob=WORK:IMAGE[:DISK[:PART]]``, and how it is done.

A job is a value, the same whoever gives it. Its words come over a network that anybody may write
to: each is typed, and none is a path, an address or an option. What must stay secret is no part of
it: the upload token of a capture is read from its file.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oglib.cache.partition import Places
from oglib.deploy import saying
from oglib.deploy.library.cache import opened_cache
from oglib.deploy.library.update import Updated, update_cache
from oglib.deploy.opening import reference
from oglib.deploy.opening.memory import of_this_pc
from oglib.deploy.partition import capture, restore
from oglib.deploy.partition.capture import Created
from oglib.deploy.partition.subject import is_one_filesystem
from oglib.deploy.system.deploy import Deployed, Request, deploy, plan
from oglib.deploy.whole_disk import capture as disk_capture
from oglib.deploy.whole_disk import image as disk_source
from oglib.deploy.whole_disk import restore as disk_restore
from oglib.deploy.whole_disk.capture import CreatedDisk
from oglib.deploy.whole_disk.receipt import DiskReceipt
from oglib.disk.find import find_disk, find_partition
from oglib.errors import OgErr, ProcessError, UsageError
from oglib.image.any import titled
from oglib.image.format.manifest import check_name
from oglib.image.writing.receipt import Receipt
from oglib.progress import Progress
from oglib.run import run
from oglib.settings import Settings
from oglib.steps import Outcome
from oglib.transfer.upload import read_token

_DISK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@=+-]{0,63}", re.ASCII)
_PART = re.compile(r"[1-9][0-9]{0,2}|PARTUUID=[0-9A-Fa-f-]{8,36}", re.ASCII)
_VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Deploy:
    """Partition, restore and fit to this PC. Empty: no ``layout``; ``hostname`` as it is."""

    image: str
    disk: str
    part: str
    layout: str = ""
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class Restore:
    """Put an image back as it was captured. ``part`` None: that of a whole disk."""

    image: str
    disk: str
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Capture into the repository. ``part`` None: the whole disk."""

    image: str
    disk: str
    part: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateCache:
    """Bring an image of the repository into the cache."""

    image: str


Job = Deploy | Restore | Create | UpdateCache
Done = Deployed | Receipt | DiskReceipt | Created | CreatedDisk | Updated
Tell = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Finished:
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


def parse_job(settings: Settings) -> Job | None:
    """The job of this boot, or None when it carries none."""
    if not settings.job:
        return None
    work, _, rest = settings.job.partition(":")
    words = rest.split(":")
    try:
        return _job(work, words, settings)
    except UsageError as error:
        raise UsageError(
            f"ogjob={settings.job} is no job: {error.message}", hint="Mend the netboot entry."
        ) from None


def _job(work: str, words: list[str], settings: Settings) -> Job:
    match work, words:
        case "deploy", [image, disk, part]:
            return Deploy(
                _image(image), _disk(disk), _part(part), settings.layout, settings.hostname
            )
        case "restore", [image, disk, *part] if len(part) <= 1:
            return Restore(_image(image), _disk(disk), _part(part[0]) if part else None)
        case "create", [image, disk, *part] if len(part) <= 1:
            return Create(_name(image), _disk(disk), _part(part[0]) if part else None)
        case "update_cache", [image]:
            return UpdateCache(_image(image))
    raise UsageError(
        "it is none of deploy:IMAGE:DISK:PART, restore:IMAGE:DISK[:PART], "
        "create:IMAGE:DISK[:PART], update_cache:IMAGE."
    )


def _image(text: str) -> str:
    """The name of an image in the repository, with ``@VERSION`` where one is meant."""
    name, at, version = text.partition("@")
    if at and not _VERSION.fullmatch(version):
        raise UsageError(f"{text!r} names no version, as NAME@3 does.")
    _name(name)
    return text


def _name(text: str) -> str:
    if reference.is_path(text):
        raise UsageError(f"{text!r} is the name of a file, not of an image in the repository.")
    return check_name(text)


def _disk(text: str) -> str:
    if not _DISK.fullmatch(text):
        raise UsageError(f"{text!r} names no disk.")
    return text


def _part(text: str) -> str:
    if not _PART.fullmatch(text):
        raise UsageError(f"{text!r} names no partition.")
    return text


def perform(job: Job, settings: Settings, *, progress: Progress, tell: Tell) -> Finished:
    """Do a job; nobody is asked, for whoever gave it has decided.

    ``tell`` gets what will be changed, before the first write.
    """
    match job:
        case Deploy():
            return _deploy(job, settings, progress, tell)
        case Restore():
            return _restore(job, settings, progress, tell)
        case Create():
            return _create(job, settings, progress, tell)
        case UpdateCache():
            return _update_cache(job, settings, progress, tell)


def _deploy(job: Deploy, settings: Settings, progress: Progress, tell: Tell) -> Finished:
    request = Request(job.image, job.disk, job.part, layout=job.layout, hostname=job.hostname)
    memory = of_this_pc(settings)
    with reference.opened_to_restore(job.image, settings, progress, memory) as image:
        planned = plan(request, image, settings, progress)
        tell(planned.changes)
        done = deploy(image, planned, progress=progress, memory=memory)
    failed = [step for step in done.steps if step.outcome is Outcome.FAILED]
    notes = (
        *done.receipt.warnings,
        *(f"Not done: {step.name}: {step.detail}" for step in failed),
    )
    if done.ready:
        return Finished(done.ready, done, notes)
    sentence = f"{planned.image} is on {planned.disk.describe()}, partition {planned.number}"
    if failed:
        return Finished(f"{sentence}, and cannot be started yet.", done, notes, OgErr.GENERIC)
    return Finished(
        f"{sentence}: restored, not fitted: {done.not_fitted}.", done, notes, OgErr.NOTFITTED
    )


def _restore(job: Restore, settings: Settings, progress: Progress, tell: Tell) -> Finished:
    if job.part is None and disk_source.is_whole(job.image, settings):
        with disk_restore.planned(
            job.image, job.disk, disk_restore.Options(), settings=settings, progress=progress
        ) as whole:
            tell(whole.changes)
            disk = disk_restore.apply(whole, progress=progress)
        return Finished(saying.ready(whole.system, whole.image), disk, disk.warnings)
    request = restore.Request(job.image, job.disk, job.part)
    with restore.planned(request, settings, progress) as one:
        tell(one.changes)
        part = restore.apply(one, progress=progress)
        sentence = saying.ready(saying.system_in(one.image), titled(one.image))
    return Finished(sentence, part, part.warnings)


def _create(job: Create, settings: Settings, progress: Progress, tell: Tell) -> Finished:
    read_token(settings.upload_token)  # before anything is looked at: without it there is no end
    found = find_disk(job.disk, rules=settings.disk_rules)
    part = find_partition(found, job.part) if job.part else None
    tell([f"Capture {saying.place(found, part)} as {job.image}"])
    if part is None and not is_one_filesystem(job.disk, settings):
        disk = disk_capture.create_disk(
            job.disk, job.image, destination="", settings=settings, progress=progress
        )
        where = f"{disk.name} version {disk.version}"
        return Finished(f"Captured: {where}, {disk.where}", disk, disk.warnings)
    made = capture.create(
        job.disk, job.part, job.image, destination="", settings=settings, progress=progress
    )
    return Finished(f"Captured: {made.text}", made, made.warnings)


def _update_cache(job: UpdateCache, settings: Settings, progress: Progress, tell: Tell) -> Finished:
    places = Places.from_environment()
    with opened_cache(settings, places, tell=tell) as cache:
        tell([*cache.told, f"Bring {job.image} into the cache, {cache.found.describe()}"])
        done = update_cache(job.image, cache, settings=settings, places=places, progress=progress)
    version = f"{done.entry.name} version {done.version}"
    sentence = f"In the cache: {version}"
    return Finished(sentence if done.changed else f"{sentence}, as before", done, done.said)


def end_of_job(after: str) -> None:
    """``reboot``, ``poweroff`` or ``stay``; only called when the job succeeded."""
    if after == "stay":
        return
    try:
        run("systemctl", "--no-block", after)
    except ProcessError as error:
        # it belongs to the unit of this job, and going down ends that with all that is in it
        if error.status != -signal.SIGTERM:
            raise
