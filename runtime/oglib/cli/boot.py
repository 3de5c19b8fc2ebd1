# SPDX-License-Identifier: GPL-3.0-or-later
"""``og boot``: an installed system started, its menu, and the entries of this PC's firmware.

``og boot 1 2`` is ``og boot start 1 2``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from oglib.cli import boot_menu
from oglib.cli.arguments import Subparsers, add_disk, add_partition, noun, verb
from oglib.cli.context import Context, Result
from oglib.views.output import table

if TYPE_CHECKING:
    import argparse

    from oglib.boot.nvram.table import BootTable, Entry

_DRY = "print what would be changed and stop"


def add_to(nouns: Subparsers) -> None:
    verbs = noun(nouns, "boot", "start a system; its menu; boot entries of the firmware")
    made = verb(verbs, "start", _start, "start the system on a partition, as `og boot 1 2` does")
    add_disk(made)
    add_partition(made)
    made.add_argument(
        "--by",
        choices=("kexec", "firmware"),
        default="",
        help="in this way alone; default: by the firmware where it has one that can, else by kexec",
    )
    made.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    verb(verbs, "entries", _entries, "the entries that this PC's firmware has, in their order")
    made = _changing(
        verbs, "add", _add, "make an entry for a loader on the ESP, first in the order"
    )
    made.add_argument("label", metavar="LABEL", help="what the firmware's menu shows")
    made.add_argument("file", metavar="FILE", help="on the ESP, as in EFI/debian/shimx64.efi")
    made.add_argument("--last", action="store_true", help="last in the order")
    for name, call, text in (
        ("delete", _delete, "remove entries"),
        ("activate", _activate, "let the firmware try entries"),
        ("deactivate", _deactivate, "keep entries, and let the firmware not try them"),
        ("order", _order, "put these first, the others stay behind them in their order"),
    ):
        made = _changing(verbs, name, call, text)
        made.add_argument("entry", metavar="ENTRY", nargs="+", help="number or label")
    made = _changing(verbs, "next", _next, "start an entry at the next start alone")
    made.add_argument("entry", metavar="ENTRY", help="number or label")
    made = _changing(verbs, "firmware-timeout", _timeout, "how long the firmware's menu waits")
    made.add_argument("seconds", metavar="SECONDS", type=int)
    _changing(verbs, "network-first", _network_first, "put the network's entry first")
    _changing(verbs, "clean", _clean, "remove entries that lead nowhere, and doubled ones")
    boot_menu.add_to(verbs)


def _changing(
    verbs: Subparsers, name: str, call: Callable[[Context], Result], text: str
) -> argparse.ArgumentParser:
    made = verb(verbs, name, call, text)
    made.add_argument("--dry-run", action="store_true", help=_DRY)
    return made


def _start(context: Context) -> Result:
    from oglib.cli.doing import do  # noqa: PLC0415 - only a job needs all of it
    from oglib.deploy.jobs import Boot  # noqa: PLC0415
    from oglib.deploy.system.start import Started  # noqa: PLC0415

    args = context.args
    doing = do(context, Boot(args.disk, args.part, args.by))
    changes = doing.planned.changes
    if doing.finished is None:
        return Result({"plan": list(changes)}, "\n".join(changes), doing.planned.status)
    done = doing.finished.done
    assert isinstance(done, Started)  # noqa: S101 - for the type checker
    data = {"system": done.system, "how": done.how, "way": done.way, "done": list(changes)}
    return Result(data, f"{doing.finished.sentence}, by {done.how}")


def _entries(context: Context) -> Result:  # noqa: ARG001 - it has no arguments
    from oglib.boot.nvram.changing import presence_here, table_here  # noqa: PLC0415
    from oglib.boot.nvram.planning import dead, doubled  # noqa: PLC0415

    found = table_here()
    lost = {one.number: "missing" for one in dead(found, presence_here())}
    twice = {one.number: "doubled" for one in doubled(found)}
    return _shown(found, {**twice, **lost})


def _shown(boot_table: BootTable, state: dict[int, str]) -> Result:
    order = [
        *boot_table.tried,
        *(one for one in boot_table.entries if one.number not in boot_table.order),
    ]
    data = {
        "entries": [_as_data(one, boot_table, state) for one in order],
        "order": [f"{number:04X}" for number in boot_table.order],
        "next": _number(boot_table.next),
        "current": _number(boot_table.current),
        "timeout": boot_table.timeout,
    }
    rows = [
        (
            one.name,
            " ".join(_marks(one, boot_table, state)),
            one.label,
            one.option.target.describe(),
        )
        for one in order
    ]
    return Result(data, table(rows) or "This PC's firmware has no boot entries.")


def _as_data(entry: Entry, boot_table: BootTable, state: dict[int, str]) -> dict[str, object]:
    target = entry.option.target
    return {
        "number": f"{entry.number:04X}",
        "label": entry.label,
        "active": entry.option.active,
        "in_order": entry.number in boot_table.order,
        "kind": target.kind,
        "partition": target.partition,
        "file": target.file,
        "protocol": target.protocol,
        "damage": entry.option.damage,
        "state": state.get(entry.number, ""),
    }


def _marks(entry: Entry, boot_table: BootTable, state: dict[int, str]) -> list[str]:
    """What a person must know of an entry beside what it is."""
    said = {
        "current": entry.number == boot_table.current,
        "next": entry.number == boot_table.next,
        "inactive": not entry.option.active,
        "not tried": entry.number not in boot_table.order,
        "damaged": bool(entry.option.damage),
        state.get(entry.number, ""): entry.number in state,
    }
    return [word for word, true in said.items() if true]


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:04X}"


def _changed(context: Context, plan: Callable[[BootTable], BootTable]) -> Result:
    from oglib.boot.nvram.changing import change_here  # noqa: PLC0415

    there, changes = change_here(plan, dry=context.args.dry_run)
    data = {"changes": list(changes), "order": [f"{number:04X}" for number in there.order]}
    return Result(data, "\n".join(changes) or "nothing to change")


def _add(context: Context) -> Result:
    from oglib.boot.nvram.changing import find_esp, presence_here  # noqa: PLC0415
    from oglib.boot.nvram.load_option import loader  # noqa: PLC0415
    from oglib.boot.nvram.planning import OrderPosition, Presence, added  # noqa: PLC0415
    from oglib.disk.probe import list_disks  # noqa: PLC0415
    from oglib.errors import NotFoundError  # noqa: PLC0415

    args = context.args
    disk, esp = find_esp(list_disks())
    option = loader(args.label, disk, esp, args.file.replace("\\", "/"))
    if presence_here()(option.target) is Presence.MISSING:
        raise NotFoundError(f"There is no {args.file} on {disk.called(esp)}, the ESP.")
    place = OrderPosition.LAST if args.last else OrderPosition.FIRST
    return _changed(context, lambda old: added(old, option, place))


def _delete(context: Context) -> Result:
    from oglib.boot.nvram.planning import without  # noqa: PLC0415

    return _changed(context, lambda old: without(old, _named(old, context.args.entry)))


def _activate(context: Context) -> Result:
    from oglib.boot.nvram.planning import activated  # noqa: PLC0415

    words = context.args.entry
    return _changed(context, lambda old: activated(old, _named(old, words), active=True))


def _deactivate(context: Context) -> Result:
    from oglib.boot.nvram.planning import activated  # noqa: PLC0415

    words = context.args.entry
    return _changed(context, lambda old: activated(old, _named(old, words), active=False))


def _order(context: Context) -> Result:
    from oglib.boot.nvram.planning import brought_forward  # noqa: PLC0415

    return _changed(context, lambda old: brought_forward(old, _named(old, context.args.entry)))


def _next(context: Context) -> Result:
    from oglib.boot.nvram.planning import named, with_next  # noqa: PLC0415

    word = context.args.entry
    return _changed(context, lambda old: with_next(old, named(old, word)[0].number))


def _timeout(context: Context) -> Result:
    from oglib.boot.nvram.planning import with_timeout  # noqa: PLC0415

    return _changed(context, lambda old: with_timeout(old, context.args.seconds))


def _network_first(context: Context) -> Result:
    from oglib.boot.nvram.planning import network_entry, network_first  # noqa: PLC0415

    result = _changed(context, network_first)
    if network_entry(_there()) is None:
        context.warn("the firmware has no active entry for the network")
    return result


def _there() -> BootTable:
    from oglib.boot.nvram.changing import table_here  # noqa: PLC0415

    return table_here()


def _clean(context: Context) -> Result:
    from oglib.boot.nvram.changing import presence_here  # noqa: PLC0415
    from oglib.boot.nvram.planning import cleaned  # noqa: PLC0415

    probe = presence_here()
    return _changed(context, lambda old: cleaned(old, probe))


def _named(old: BootTable, words: Sequence[str]) -> list[int]:
    from oglib.boot.nvram.planning import named  # noqa: PLC0415

    return [one.number for word in words for one in named(old, word)]
