# SPDX-License-Identifier: GPL-3.0-or-later
"""``og disk list|show|plan|apply|repair``.

LAYOUT is a TOML or JSON file, the name of one in the repository, OpenGnsys' list
``"TYPE:KB TYPE:KB …"`` or Configurar's string. ``plan`` shows what ``apply`` would do. A damaged
table is refused by both: ``repair`` writes both copies of a GPT from the good one and leaves the
partitions alone, ``--replace-damaged`` writes a new table and keeps nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oglib.cli.arguments import Subparsers, add_disk, noun, verb
from oglib.cli.context import Context, Result
from oglib.disk.model import Disk
from oglib.disk.probe import list_disks
from oglib.errors import NotFoundError
from oglib.views import disks as disk_text
from oglib.views.output import plain
from oglib.views.target import system_on, system_text

if TYPE_CHECKING:
    from oglib.disk.planning.planned import TablePlan

# What writes is imported by who writes: libparted alone takes longer than a whole listing.


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "disk", "disks and partition tables")
    verb(verbs, "list", _list, "which disks there are and what is on them")
    add_disk(verb(verbs, "show", _show, "one disk"))
    _add_layout(verb(verbs, "plan", _plan, "what applying a layout would change", repository=True))
    apply = verb(
        verbs, "apply", _apply, "write the partitions of a layout", destroys=True, repository=True
    )
    _add_layout(apply)
    about = "write both copies of a damaged GPT from the good one"
    add_disk(verb(verbs, "repair", _repair, about, destroys=True))


def _add_layout(parser: argparse.ArgumentParser) -> None:
    add_disk(parser)
    parser.add_argument(
        "layout",
        metavar="LAYOUT",
        help="layout file, its name in the repository, or a list like 'NTFS:30000000 LINUX:2000'",
    )
    parser.add_argument(
        "--replace-damaged",
        action="store_true",
        help="write a new table in place of a damaged one; nothing of it is kept",
    )


def _list(_context: Context) -> Result:
    disks = list_disks()
    if not disks:
        raise NotFoundError(
            "This PC shows no disk.", hint="Is the disk controller's driver there? See dmesg."
        )
    return _shown(disks)


def _show(context: Context) -> Result:
    disk = context.disk()
    systems = _systems(disk)
    return Result(_data(disk, systems), disk_text.details(disk, _texts(systems)))


def _shown(disks: Sequence[Disk]) -> Result:
    found = [(disk, _systems(disk)) for disk in disks]
    data = [_data(disk, systems) for disk, systems in found]
    return Result(data, "\n".join(disk_text.listing(disk, _texts(one)) for disk, one in found))


def _systems(disk: Disk) -> dict[int, str | None]:
    return {part.number: system_on(disk, part) for part in disk.partitions}


def _texts(systems: Mapping[int, str | None]) -> dict[int, str]:
    return {number: system_text(system) for number, system in systems.items()}


def _data(disk: Disk, systems: Mapping[int, str | None]) -> dict[str, object]:
    found = plain(disk)
    assert isinstance(found, dict)  # noqa: S101 - for the type checker
    for part in found["partitions"]:
        part["os"] = systems[part["number"]]
    return {**found, "pinned": disk.pinned}


def _plan(context: Context) -> Result:
    from oglib.deploy.system.layouts import read_layout  # noqa: PLC0415
    from oglib.disk.planning.plan import plan_layout  # noqa: PLC0415

    disk = context.disk()
    layout = read_layout(context.args.layout, context.settings, disk)
    plan = plan_layout(layout, disk, replace_damaged=context.args.replace_damaged)
    return _change_result(disk, plan)


def _apply(context: Context) -> Result:
    from oglib.cli.doing import do  # noqa: PLC0415
    from oglib.deploy.jobs import Partition  # noqa: PLC0415
    from oglib.disk.planning.planned import TablePlan  # noqa: PLC0415

    args = context.args
    doing = do(context, Partition(args.disk, args.layout, args.replace_damaged))
    plan, before = doing.planned.plan, doing.planned.disk
    assert isinstance(plan, TablePlan)  # noqa: S101 - for the type checker
    assert before is not None  # noqa: S101 - as above
    result = _change_result(before, plan)
    if doing.finished is None or plan.nothing_to_change:
        return result
    disk = doing.finished.done
    assert isinstance(disk, Disk)  # noqa: S101 - as above
    shown = _shown((disk,))
    return Result(
        {"changes": list(plan.changes), "notes": list(plan.notes), "disk": shown.data},
        f"{result.text}\n{shown.text}",
    )


def _repair(context: Context) -> Result:
    from oglib.deploy.partition.checks import check_free  # noqa: PLC0415
    from oglib.disk.lock import held  # noqa: PLC0415
    from oglib.disk.writing.table import check_repairable, repair_table  # noqa: PLC0415

    disk = context.disk()
    if not disk.damage:
        return Result({"damage": []}, "nothing to repair")
    said = {"damage": list(disk.damage)}
    check_free(disk)
    check_repairable(disk)
    if context.args.dry_run:
        return Result(said, "\n".join(disk.damage))
    context.confirm(f"Repair the partition table of {disk.describe()}?", lambda: disk.damage)
    with held(disk):
        shown = _shown((repair_table(disk),))
    return Result({**said, "disk": shown.data}, shown.text)


def _change_result(disk: Disk, plan: TablePlan) -> Result:
    lines = (*(plan.changes or ("nothing to change",)), *plan.notes)
    return Result({"disk": disk.pinned, **plan.as_dict()}, "\n".join(lines))
