# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot exam SCOPE SYSTEM --from T --until T [--check]`, `exam SCOPE --end`.

Exit codes: 0 every PC is known to be ready, 3 some are known not to be, 4 of some it is not known;
with 3 and 4 the exam is set all the same (`--check` only looks).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ognetboot.assigning import setting
from ognetboot.assigning.coming import MOST_TOLD, described, withdrawn
from ognetboot.assigning.exam import Readiness, Ready, Told, grouped, image_of, readiness, system_of
from ognetboot.assigning.model import Assigned, Assignment
from ognetboot.assigning.setting import Limits, Whom
from ognetboot.errors import FoundFaultsError, NetbootError
from ognetboot.hearing.seen import seen_of
from ognetboot.inventory.scopes import find_scope
from ognetboot.verbs import Verbs, add_inventory, add_test
from ognetboot.verbs.giving import Desk, add_tree, at_desk, carry_out
from ognetboot.verbs.set import TIMES

NOT_READY, NOT_KNOWN = 3, 4


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "exam",
        help="for an exam: one system, no menu and no job, undone by itself",
        description="SYSTEM is an entry of kind `system`, DISK:PARTITION, or an image that the "
        f"PCs' declared state names. Times are the server's: {TIMES}. Exit code 0: every PC is "
        "known to have it; 3: some have not; 4: of some nobody knows. It is set all the same.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("scope", metavar="SCOPE", help="all, centre:X, room:X, group:X, pc:X, or X")
    verb.add_argument("system", nargs="?", metavar="SYSTEM", help="what the PCs are to start")
    verb.add_argument("--from", dest="start", metavar="TIME", help="when it begins (default: now)")
    verb.add_argument("--until", dest="end", metavar="TIME", help="when it ends")
    how = verb.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="tell who is not ready; set nothing")
    how.add_argument("--end", dest="over", action="store_true", help="end SCOPE's exam now")
    verb.add_argument("--all", action="store_true", help="with --end: also those to come")
    add_inventory(verb)
    add_tree(verb)
    add_test(verb)


def run(args: argparse.Namespace) -> str:
    """Check and set, or end."""
    wanted = (None, None, None) if args.over else (args.system, args.start, args.end)
    complete = args.over or (args.system and (args.end or args.check))
    if not complete or wanted != (args.system, args.start, args.end):
        raise NetbootError(
            "exam takes SCOPE, SYSTEM and --until, or SCOPE and --end",
            hint="see `ognetboot exam --help`",
            code=2,
        )
    if args.all and not args.over:
        raise NetbootError("--all goes with --end", hint="see `ognetboot exam --help`", code=2)
    with at_desk(args, dry_run=args.check) as desk:
        to = setting.whom(desk.inventory, find_scope(desk.inventory, args.scope))
        if args.over:
            return _end(desk, to, also_later=args.all)
        text, code = _exam(desk, to, args)
    # Behind the end of it: the exam is set, and an error inside would not have let it.
    if code:
        raise FoundFaultsError(text, code=code)
    return text


def _exam(desk: Desk, to: Whom, args: argparse.Namespace) -> tuple[str, int]:
    systems = system_of(desk.inventory, to, args.system)
    limits = setting.limits(desk.now, once=False, boots=None, start=args.start, end=args.end)
    image = image_of(desk.inventory, args.system)
    seen = seen_of(desk.opened.path).items()
    told = {pc: Told(each.looked or each.at, each.systems) for pc, each in seen}
    found = list(readiness(systems, image, told))
    lines = [] if args.check else list(_set(desk, to, args.system, limits))
    lines += _said(found)
    ready = {each.ready for each in found}
    code = NOT_READY if Ready.ABSENT in ready else NOT_KNOWN if Ready.UNKNOWN in ready else 0
    return "\n".join(lines), code


def _set(desk: Desk, to: Whom, system: str, limits: Limits) -> Iterator[str]:
    before = desk.change.assigned
    new = desk.assignment(to, system, limits, exam=True)
    assigned = setting.with_assignment(before, new, desk.now)
    note = f"exam {to.scope} {system} {setting.said(limits)}"
    written = carry_out(desk, to, replace(desk.outcome, assigned=assigned), note)
    when = setting.said(limits)
    if assigned == before and not written:
        yield f"{to}: nothing to change, the exam with {system} {when} is set"
    else:
        yield f"{to}: exam with {system} {when}; then what was before, by itself"
    gone = withdrawn(before, assigned, to.clients, desk.now)
    yield from (f"{line}: this takes its place" for line in gone)


def _said(found: Iterable[Readiness]) -> Iterator[str]:
    pcs = list(found)
    counts = Counter(each.ready for each in pcs)
    yield f"{counts[Ready.READY]} of {len(pcs)} ready"
    yield from grouped(pcs)


def _end(desk: Desk, to: Whom, *, also_later: bool) -> str:
    before = desk.change.assigned
    exams = [each for each in before.of(str(to.scope)) if each.exam and not each.over(desk.now)]
    gone = [each for each in exams if also_later or each.begun(desk.now)]
    if not gone:
        raise _no_exam(to, before, exams)
    outcome = replace(desk.outcome, assigned=before.without(gone))
    carry_out(desk, to, outcome, f"exam {to.scope} --end{' --all' if also_later else ''}")
    after = desk.offers(to, outcome)
    ended = any(each.begun(desk.now) for each in gone)
    done = "the exam is over; now " if ended else "no exam any more; now "
    lines = [f"{to}: {done}{setting.counted(after)}"]
    lines += withdrawn(before, outcome.assigned, to.clients, desk.now)
    lines += (f"still to come: {e.entry}, {described(e)}" for e in exams if e not in gone)
    return "\n".join(lines)


def _no_exam(to: Whom, assigned: Assigned, exams: Sequence[Assignment]) -> NetbootError:
    """Why there is nothing to end: `exams` are those of the scope, all of them still to come."""
    if exams:
        told = "; ".join(f"{each.entry}, {described(each)}" for each in exams[:MOST_TOLD])
        hint = f"to come: {told}. `ognetboot exam {to.scope} --end --all` withdraws what is to come"
        return NetbootError(f"{to.scope} has no exam now", hint=hint)
    others = sorted({each.scope for each in assigned.all if each.exam})
    hint = f"exams: {', '.join(others)}" if others else "there is none at all"
    return NetbootError(f"{to.scope} has no exam", hint=hint)
