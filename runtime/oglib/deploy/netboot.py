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
from oglib.deploy.opening.reference import CACHE
from oglib.errors import UsageError
from oglib.settings import Settings
from oglib.transfer.choose import wanted

# How each is said; what a job may hold beyond these words is not for a netboot entry.
GRAMMAR = {
    "deploy": "deploy:IMAGE:DISK:PART[:METHOD[:no-fallback]]",
    "restore": "restore:IMAGE:DISK[:PART[:METHOD[:no-fallback]]]",
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
    if words[0] == CACHE.rstrip(":") and len(words) > 1:
        words[:2] = [f"{CACHE}{words[1]}"]  # of the words only this one holds a colon itself
    try:
        return _job(work, words, settings)
    except UsageError as error:
        raise UsageError(
            f"ogjob={settings.job} is no job: {error.message}", hint="Mend the netboot entry."
        ) from None


def _job(work: str, words: list[str], settings: Settings) -> Job:
    match work, words:
        case "deploy", [image, disk, part, *how]:
            method, fallback = _method(how)
            return Deploy(
                check_image(image),
                check_disk(disk),
                check_part(part),
                settings.layout,
                settings.hostname,
                method=method,
                fallback=fallback,
            )
        case "restore", [image, disk, part, *how]:
            method, fallback = _method(how)
            return Restore(
                check_image(image),
                check_disk(disk),
                check_part(part),
                method=method,
                fallback=fallback,
            )
        case "restore", [image, disk]:
            return Restore(check_image(image), check_disk(disk))
        case "create", [image, disk, *part] if len(part) <= 1:
            return Create(
                check_image_name(image), check_disk(disk), check_part(part[0]) if part else None
            )
        case "update_cache", [image]:
            return UpdateCache(check_image(image))
    return _of_a_system(work, words, settings)


def _method(words: list[str]) -> tuple[str, bool]:
    """How the image comes, and whether another way may be taken."""
    match words:
        case []:
            return "", True
        case [method]:
            return str(wanted(method)), True
        case [method, "no-fallback"]:
            return str(wanted(method)), False
    raise UsageError(f"{':'.join(words)[:80]!r} is no way to bring an image.")


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
