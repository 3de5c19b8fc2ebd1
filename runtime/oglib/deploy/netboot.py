# SPDX-License-Identifier: GPL-3.0-or-later
"""The job of a netboot entry: ``ogjob=boot:1:2``, each work with words of its own."""

from __future__ import annotations

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
    check_disk,
    check_image,
    check_image_name,
    check_layout,
    check_part,
)
from oglib.errors import UsageError
from oglib.settings import Settings

# How each is said; what a job may hold beyond these words is not for a netboot entry.
GRAMMAR = {
    "deploy": "deploy:IMAGE:DISK:PART",
    "restore": "restore:IMAGE:DISK[:PART]",
    "create": "create:IMAGE:DISK[:PART]",
    "update_cache": "update_cache:IMAGE",
    "configure": "configure:DISK:PART",
    "adapt": "adapt:DISK:PART[:this|any]",
    "partition": "partition:DISK:LAYOUT",
    "inventory": "inventory[:hardware] or inventory:os|software:DISK:PART",
    "boot": "boot:DISK:PART[:kexec|firmware]",
}


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
                check_image(image),
                check_disk(disk),
                check_part(part),
                settings.layout,
                settings.hostname,
            )
        case "restore", [image, disk, *part] if len(part) <= 1:
            return Restore(
                check_image(image), check_disk(disk), check_part(part[0]) if part else None
            )
        case "create", [image, disk, *part] if len(part) <= 1:
            return Create(
                check_image_name(image), check_disk(disk), check_part(part[0]) if part else None
            )
        case "update_cache", [image]:
            return UpdateCache(check_image(image))
    return _of_a_system(work, words, settings)


def _of_a_system(work: str, words: list[str], settings: Settings) -> Job:
    """Those that name no image."""
    match work, words:
        case "configure", [disk, part]:
            return Configure(check_disk(disk), check_part(part), settings.hostname)
        case "adapt", [disk, part]:
            return Adapt(check_disk(disk), check_part(part))
        case "adapt", [disk, part, ("this" | "any") as hardware]:
            return Adapt(check_disk(disk), check_part(part), hardware)
        case "partition", [disk, layout]:
            return Partition(check_disk(disk), check_layout(layout))
        case "inventory", [""] | ["hardware"]:
            return Inventory()
        case "inventory", [("os" | "software") as what, disk, part]:
            return Inventory(what, check_disk(disk), check_part(part))
        case "boot", [disk, part]:
            return Boot(check_disk(disk), check_part(part))
        case "boot", [disk, part, ("kexec" | "firmware") as how]:
            return Boot(check_disk(disk), check_part(part), how)
    if grammar := GRAMMAR.get(work):
        raise UsageError(f"{work} is written {grammar}.")
    raise UsageError(f"there is no work {work[:80]!r}: there are {', '.join(GRAMMAR)}.")
