# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that a netboot entry carries: ``ogjob=deploy:IMAGE:DISK:PART``, run by one unit."""

from __future__ import annotations

from oglib.deploy.deploy import Request
from oglib.errors import OgErr, UsageError
from oglib.run import run
from oglib.settings import Settings

_VERB = "deploy"
_WORDS = 4


def parse_job(settings: Settings) -> Request | None:
    """The deployment that this boot shall do, or None when it carries no job."""
    if not settings.job:
        return None
    words = settings.job.split(":")
    if len(words) != _WORDS or words[0] != _VERB or not all(words):
        raise UsageError(
            f"ogjob={settings.job} is not deploy:IMAGE:DISK:PART.",
            hint="Mend the netboot entry.",
            code=OgErr.FORMAT,
        )
    _, image, disk, part = words
    return Request(
        image=image, disk=disk, part=part, layout=settings.layout, hostname=settings.hostname
    )


def end_of_job(after: str) -> None:
    """``reboot``, ``poweroff`` or ``stay``; only called when the job succeeded."""
    if after != "stay":
        run("systemctl", "--no-block", after)
