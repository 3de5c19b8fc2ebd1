# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot set SCOPE ENTRY [--once | --boots N] [--from T] [--until T]`, `set SCOPE --clear`, and
`set SCOPE --inherit`: SCOPE says nothing for good itself."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ognetboot.assigning import setting
from ognetboot.assigning.coming import withdrawn
from ognetboot.assigning.setting import Whom
from ognetboot.errors import NetbootError
from ognetboot.inventory.scopes import find_scope
from ognetboot.verbs import Verbs, add_inventory, add_test
from ognetboot.verbs.giving import Desk, add_tree, at_desk, carry_out, give, inherit

TIMES = "18:00, 2026-11-28, '2026-11-28 18:00', or from now +90m, +2h, +3d"


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "set",
        help="say what a PC, a room or all of them start: for good, this once, until a time",
        description="Without a limit the inventory says it from then on. With one it falls back by "
        f"itself. Times are the server's: {TIMES}.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("scope", metavar="SCOPE", help="all, centre:X, room:X, group:X, pc:X, or X")
    verb.add_argument("entry", nargs="?", metavar="ENTRY", help="the entry to start")
    often = verb.add_mutually_exclusive_group()
    often.add_argument("--once", action="store_true", help="each PC once")
    often.add_argument("--boots", type=int, metavar="N", help="each PC so many times")
    often.add_argument(
        "--clear", action="store_true", help="take back what SCOPE was given for a while"
    )
    verb.add_argument(
        "--all", action="store_true", help="with --clear: also what has not begun yet"
    )
    often.add_argument(
        "--inherit",
        action="store_true",
        help="SCOPE says nothing for good itself, and starts what the wider scope says",
    )
    verb.add_argument(
        "--pcs", action="store_true", help="with --inherit: not SCOPE but each PC in it"
    )
    verb.add_argument("--from", dest="start", metavar="TIME", help="not before")
    verb.add_argument("--until", dest="end", metavar="TIME", help="not after; a date: to its end")
    verb.add_argument(
        "--dry-run", action="store_true", help="say and refuse the same; write nothing"
    )
    add_inventory(verb)
    add_tree(verb)
    add_test(verb)


def run(args: argparse.Namespace) -> str:
    """Give, or take back."""
    _refuse_mixed(args)
    with at_desk(args, dry_run=args.dry_run) as desk:
        to = setting.whom(desk.inventory, find_scope(desk.inventory, args.scope))
        if args.clear:
            return _clear(desk, to, also_later=args.all)
        if args.inherit:
            return inherit(desk, to, each_pc=args.pcs)
        entry = setting.entry_named(desk.inventory, args.entry)
        limits = setting.limits(
            desk.now, once=args.once, boots=args.boots, start=args.start, end=args.end
        )
        return give(desk, to, entry, limits)


def _refuse_mixed(args: argparse.Namespace) -> None:
    back = args.clear or args.inherit
    wrong = ""
    if back == (args.entry is not None) or (back and (args.start or args.end)):
        wrong = "set takes SCOPE and ENTRY, SCOPE and --clear, or SCOPE and --inherit"
    elif args.all and not args.clear:
        wrong = "--all goes with --clear"
    elif args.pcs and not args.inherit:
        wrong = "--pcs goes with --inherit"
    if wrong:
        raise NetbootError(wrong, hint="see `ognetboot set --help`", code=2)


def _clear(desk: Desk, to: Whom, *, also_later: bool) -> str:
    assigned = desk.change.assigned
    given = [each for each in assigned.of(str(to.scope)) if not each.exam]
    gone = [each for each in given if also_later or each.begun(desk.now)]
    outcome = replace(desk.outcome, assigned=assigned.without(gone))
    before = desk.offers(to, desk.outcome)
    carry_out(desk, to, outcome, f"clear {to.scope}{' --all' if also_later else ''}")
    after = desk.offers(to, outcome)
    lines = list(withdrawn(assigned, outcome.assigned, to.clients, desk.now))
    lines += setting.still_given(to, outcome.assigned)
    if any(each not in gone for each in given):
        lines.append(f"`ognetboot set {to.scope} --clear --all` takes back what is to come, too")
    if not gone:
        return "\n".join([f"{to}: nothing to change, nothing is given to it for a while", *lines])
    now = setting.counted(after)
    return "\n".join([f"{to}: {now}; before: {setting.counted(before)}", *lines])
