# SPDX-License-Identifier: GPL-3.0-or-later
"""``og disk list|show|apply``."""

from __future__ import annotations

from oglib.cli.arguments import Subparsers, add_disk, noun, verb
from oglib.cli.context import Context, Result
from oglib.cli.output import plain, table
from oglib.cli.target import facts_of, system_on
from oglib.deploy.deploy import read_layout
from oglib.disk.find import find_disk
from oglib.disk.model import Disk, Partition
from oglib.disk.plan import plan_layout
from oglib.disk.probe import list_disks
from oglib.disk.table import apply_table
from oglib.errors import NotFoundError
from oglib.progress import human_bytes


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "disk", "disks and partition tables")
    verb(verbs, "list", _list, "which disks there are and what is on them")
    add_disk(verb(verbs, "show", _show, "one disk"))
    apply = verb(verbs, "apply", _apply, "write the partitions of a layout", destroys=True)
    add_disk(apply)
    apply.add_argument(
        "layout", metavar="LAYOUT", help="layout file, or its name in the repository"
    )


def _list(_context: Context) -> Result:
    disks = list_disks()
    if not disks:
        raise NotFoundError(
            "This PC shows no disk.", hint="Is the disk controller's driver there? See dmesg."
        )
    return _shown(disks)


def _show(context: Context) -> Result:
    return _shown((find_disk(context.args.disk),))


def _shown(disks: tuple[Disk, ...]) -> Result:
    systems = {
        (disk.number, part.number): system_on(disk, part)
        for disk in disks
        for part in disk.partitions
    }
    data = [_data(disk, systems) for disk in disks]
    return Result(data, "\n".join(_text(disk, systems) for disk in disks))


def _data(disk: Disk, systems: dict[tuple[int, int], str]) -> dict[str, object]:
    found = plain(disk)
    assert isinstance(found, dict)  # noqa: S101 - for the type checker
    for part in found["partitions"]:
        part["os"] = systems[disk.number, part["number"]]
    return found


def _text(disk: Disk, systems: dict[tuple[int, int], str]) -> str:
    about = (
        f"disk {disk.number}" if disk.number else "file",
        str(disk.path),
        disk.model,
        human_bytes(disk.size_bytes),
        disk.transport,
        "no partition table" if disk.table == "none" else disk.table,
        f"serial {disk.serial}" if disk.serial else "",
        f"{disk.logical_sector_bytes} B sectors" if disk.logical_sector_bytes != 512 else "",
    )
    head = "  ".join(word for word in about if word)
    rows = [_row(part, systems[disk.number, part.number]) for part in disk.partitions]
    return head + ("\n" + table(rows, indent="  ") if rows else "")


def _row(part: Partition, system: str) -> tuple[str, ...]:
    return (
        str(part.number),
        part.type,
        human_bytes(part.size_bytes),
        part.filesystem or "-",
        part.label or part.name or "-",
        " ".join(part.mountpoints) or system,
    )


def _apply(context: Context) -> Result:
    disk = find_disk(context.args.disk)
    plan = plan_layout(read_layout(context.args.layout, context.settings), disk)
    if plan.nothing_to_change:
        return Result({"changes": []}, "nothing to change")
    said: dict[str, object] = {"changes": list(plan.changes), "notes": list(plan.notes)}
    lines = "\n".join((*plan.changes, *plan.notes))
    if context.args.dry_run:
        return Result(said, lines)
    context.confirm(f"Partition {disk.describe()}?", [*facts_of(disk), *plan.changes])
    shown = _shown((apply_table(plan),))
    return Result({**said, "disk": shown.data}, f"{lines}\n{shown.text}")
