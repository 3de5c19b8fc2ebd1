# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the job of an entry: `{ deploy = "debian", ... }`, or `{ work = "configure", ... }`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from ognetboot.inventory import checks
from ognetboot.inventory.entries import OF_IMAGES, After, Job, Work
from ognetboot.inventory.fields import Table

# Partitions are counted from 1 as in OpenGnsys; a GPT of usual size ends at 128.
LAST_PARTITION = 128


class Hardware(StrEnum):
    """For which disk controllers a system is made to start."""

    THIS = "this"
    ANY = "any"


class How(StrEnum):
    """How a system is started out of ogLive."""

    KEXEC = "kexec"
    FIRMWARE = "firmware"


class What(StrEnum):
    """What is listed."""

    HARDWARE = "hardware"
    OS = "os"
    SOFTWARE = "software"


# Which keys each work has besides `after`; those with True must be there.
_KEYS: Mapping[Work, Mapping[str, bool]] = {
    Work.DEPLOY: {"disk": True, "partition": True, "layout": False},
    Work.RESTORE: {"disk": True, "partition": False},
    Work.CREATE: {"disk": True, "partition": False},
    Work.UPDATE_CACHE: {},
    Work.CONFIGURE: {"disk": True, "partition": True},
    Work.ADAPT: {"disk": True, "partition": True, "hardware": False},
    Work.PARTITION: {"disk": True, "layout": True},
    Work.BOOT: {"disk": True, "partition": True, "how": False},
    Work.INVENTORY: {"what": False, "disk": False, "partition": False},
}
_ALL = ("disk", "partition", "layout", "hardware", "how", "what")


def read_job(table: Table) -> Job | None:
    """The job, or None where it does not say what is to be done."""
    named = _work(table)
    if named is None:
        for key in (*_ALL, "after"):
            table.value(key)
        table.finish()
        return None
    work, image = named
    keys = _KEYS[work]
    for key in _ALL:
        if key not in keys:
            table.refuse(key, _why_not(key, work))
        elif keys[key] and not table.has(key):
            hint = f"add `{key} = ...`{', counted from 1' if key == 'partition' else ''}"
            table.error(key, "is missing", hint=hint)
    disk = table.word("disk", checks.disk) if "disk" in keys and table.has("disk") else None
    partition = table.integer("partition", low=1, high=LAST_PARTITION)
    layout = table.text("layout", checks.name)
    option: str | None = None
    for key, words in (("hardware", Hardware), ("how", How), ("what", What)):
        option = table.choice(key, words) or option
    goes = (option in (What.OS, What.SOFTWARE)) == (partition is not None)
    if work is Work.INVENTORY and not goes and not table.wrong("what", "partition"):
        table.error("partition", "goes with `what` os or software, and with a `disk`")
    after = table.choice("after", After) or After.STAY
    table.finish()
    if work is Work.PARTITION:
        return Job(work, image, disk, None, None, after, layout)
    return Job(work, image, disk, partition, layout, after, option)


def _why_not(key: str, work: Work) -> str:
    if work is Work.UPDATE_CACHE and key in ("disk", "partition"):
        return f"means nothing with `{work}`: a PC has one cache"
    others = [str(other) for other, keys in _KEYS.items() if key in keys]
    return f"means nothing with `{work}`, only with `{'`, `'.join(others)}`"


def _work(table: Table) -> tuple[Work, str | None] | None:
    """What is to be done, and the image that it is done with."""
    check: Callable[[str], str]
    named: dict[Work, str | None] = {}
    for work in OF_IMAGES:
        check = checks.image if work is Work.CREATE else checks.image_version
        found = table.text(work, check)
        if table.has(work):
            named[work] = found
    if table.has("work") and (other := table.choice("work", Work)) is not None:
        if other in OF_IMAGES:
            table.error("work", f"`{other}` names its image", hint=f'write it as {other} = "NAME"')
            return None
        named[other] = ""
    elif table.has("work"):
        return None
    if not named:
        words = ", ".join(OF_IMAGES)
        table.error(
            Work.DEPLOY, "is missing", hint=f"name an image with one of {words}, or a `work`"
        )
        return None
    first, *more = named
    if more:
        table.error(
            more[0] if more[0] in OF_IMAGES else "work",
            f"stands beside `{first}`, and a job is one piece of work",
            hint="make a second entry of it",
        )
        return None
    image = named[first]
    return None if image is None else (first, image or None)
