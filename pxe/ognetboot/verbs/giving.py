# SPDX-License-Identifier: GPL-3.0-or-later
"""What `set`, `exam` and `mode` have in common: from an order to the files that PCs fetch.

Everything is refused before the first write. Then the assignments or the inventory are written, and
the files of the PCs last: who is cut off in between repeats the order, and it ends the same.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ognetboot.assigning import history, setting
from ognetboot.assigning.coming import kept, withdrawn
from ognetboot.assigning.ears import Ear, heard_by
from ognetboot.assigning.model import Assigned, Assignment
from ognetboot.assigning.offers import Offered, offers_at
from ognetboot.assigning.setting import Limits, Whom
from ognetboot.assigning.store import Change, Store
from ognetboot.errors import NetbootError
from ognetboot.inventory import editing, reading
from ognetboot.inventory.entries import Entry
from ognetboot.inventory.model import Client, Inventory, ScopeKind
from ognetboot.inventory.saving import Opened, open_inventory, save
from ognetboot.inventory.scopes import Scope
from ognetboot.texts.refresh import check_tree, prepared, write_prepared

# Where `ogrepo install` puts it.
_TREE = Path("/srv/oglive/netboot")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How things stand, or are to stand; `text` is the inventory's."""

    inventory: Inventory
    assigned: Assigned
    text: str

    def clients(self, to: Whom) -> tuple[Client, ...]:
        """The PCs of the scope, with what this inventory says of them."""
        return setting.whom(self.inventory, to.scope).clients


@dataclass(frozen=True, slots=True)
class Desk:
    """All that an order needs: the inventory, its text, its assignments, and the tree."""

    opened: Opened
    inventory: Inventory
    out: Path
    change: Change
    by: str
    now: datetime
    dry_run: bool

    @property
    def outcome(self) -> Outcome:
        """How things stand."""
        return Outcome(self.inventory, self.change.assigned, self.opened.text)

    def assignment(self, to: Whom, entry: str, limits: Limits, *, exam: bool = False) -> Assignment:
        """A new one, by whoever gives this order."""
        return Assignment(
            number=os.urandom(6).hex(),
            scope=str(to.scope),
            entry=entry,
            by=self.by,
            made=self.now,
            start=limits.start,
            end=limits.end,
            boots=limits.boots,
            exam=exam,
        )

    def offers(self, to: Whom, outcome: Outcome) -> Mapping[str, Offered]:
        """What the PCs of the scope are offered now, by their names."""
        clients = outcome.clients(to)
        return setting.offers(outcome.inventory, outcome.assigned, clients, self.now)


def add_tree(parser: argparse.ArgumentParser) -> None:
    """The option `--out`."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="OUT",
        help=f"the tree to write (default: the inventory's tftp_root, else {_TREE})",
    )


@contextmanager
def at_desk(args: argparse.Namespace, *, by: str = "", dry_run: bool = False) -> Iterator[Desk]:
    """Alone with the inventory `args.inventory` and its assignments until the end."""
    now = datetime.now(UTC).replace(microsecond=0)
    who = by or history.who(os.environ)
    path = open_inventory(args.inventory).path
    with Store(path).changing(who, now) as change:
        opened = open_inventory(path)
        inventory = reading.parse(opened.text, source=path.name, allow_test=args.test)
        root = inventory.server.tftp_root
        out = args.out or (Path(root) if root else _TREE)
        check_tree(out, path)
        yield Desk(opened, inventory, out, change, who, now, dry_run)


def give(desk: Desk, to: Whom, entry: Entry, limits: Limits) -> str:
    """Give the entry to the PCs of the scope, for good or for a while; what is told of it."""
    ear = heard_by(desk.opened.path)
    # A file that is fetched counts for whatever it starts.
    counted = limits.boots is not None and ear is not Ear.FETCH
    when = limits.start or desk.now
    setting.refuse_unable(desk.inventory, to, entry, when, counted=counted)
    if not to.clients:
        raise NetbootError(f"{to.scope} has no PC", hint="name a room, a group or a PC that has")
    before, assigned = desk.offers(to, desk.outcome), desk.change.assigned
    outcome = _outcome(desk, to, entry, limits)
    changed = outcome != desk.outcome
    said = f"{entry.name} {setting.said(limits)}"
    written = carry_out(desk, to, outcome, f"set {to.scope} {said}")
    if not changed and not written:
        return f"{to}: nothing to change, it is {said} already"
    lines = [f"{to}: {said}; before: {setting.counted(before)}"]
    gone = withdrawn(assigned, outcome.assigned, to.clients, desk.now)
    lines += (f"{line}: this takes its place" for line in gone)
    lines += kept(assigned, outcome.assigned, str(to.scope), to.clients, desk.now)
    if limits.boots is not None:
        lines.append(ear.rule)
    if limits.start is None or limits.start <= desk.now:
        after = desk.offers(to, outcome)
        lines += setting.others(after, entry.name)
        lines += _own_words(to, entry) if limits.none else ()
    return "\n".join(lines)


def inherit(desk: Desk, to: Whom, *, each_pc: bool) -> str:
    """Let the scope, or each PC in it, say nothing for good itself; what is told of it."""
    if each_pc:
        scopes = [Scope(ScopeKind.PC, c.name) for c in to.clients if c.choices.entry is not None]
        inventory = setting.pcs_inherit(desk.inventory, to)
    else:
        scopes, inventory = [to.scope], setting.with_entry(desk.inventory, to, None)
    text = editing.without_choice(desk.opened.text, desk.inventory, scopes, "entry")
    before = desk.offers(to, desk.outcome)
    outcome = Outcome(inventory, desk.change.assigned, text)
    note = f"set {to.scope} --inherit{' --pcs' if each_pc else ''}"
    written = carry_out(desk, to, outcome, note)
    if text == desk.opened.text and not written:
        whose = "none of its PCs says" if each_pc else "it says"
        return f"{to}: nothing to change, {whose} nothing for good itself"
    after = desk.offers(to, outcome)
    own = f"{setting.named(s.name for s in scopes)} say nothing themselves, " if each_pc else ""
    lines = [f"{to}: {own}now {setting.counted(after)}; before: {setting.counted(before)}"]
    lines += setting.for_a_while(after)
    return "\n".join(lines)


def _own_words(to: Whom, entry: Entry) -> Iterator[str]:
    """Where PCs do not follow what their scope was told for good: how they would."""
    own = [c for c in to.clients if c.choices.entry not in (None, entry.name)]
    if own and to.scope.kind is not ScopeKind.PC:
        yield f"`ognetboot set {to.scope} --inherit --pcs` lets PCs with a word of their own follow"


def _outcome(desk: Desk, to: Whom, entry: Entry, limits: Limits) -> Outcome:
    if limits.none:
        inventory = setting.with_entry(desk.inventory, to, entry.name)
        text = editing.with_choice(desk.opened.text, desk.inventory, to.scope, "entry", entry.name)
        return Outcome(inventory, desk.change.assigned, text)
    new = desk.assignment(to, entry.name, limits)
    assigned = setting.with_assignment(desk.change.assigned, new, desk.now)
    return replace(desk.outcome, assigned=assigned)


def carry_out(desk: Desk, to: Whom, outcome: Outcome, note: str) -> int:
    """Write what was ordered, then the files of the PCs; how many of them were others before."""
    offered = offers_at(outcome.inventory, outcome.assigned, desk.now)
    files = prepared(outcome.inventory, outcome.clients(to), offered)
    if desk.dry_run:
        return 0
    if outcome != desk.outcome:
        desk.change.notes.append(note)
    desk.change.assigned = outcome.assigned
    desk.change.keep()
    save(desk.opened, outcome.text)
    return write_prepared(desk.out, files)
