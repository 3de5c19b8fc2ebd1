# SPDX-License-Identifier: GPL-3.0-or-later
"""What `set`, `exam` and `mode` have in common: from an order to the files that PCs fetch.

Everything is refused before the first write. Then the assignments or the inventory are written, and
the files of the PCs last: who is cut off in between repeats the order, and it ends the same.
"""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ognetboot.assigning import history, setting
from ognetboot.assigning.ears import heard_by
from ognetboot.assigning.model import Assigned, Assignment
from ognetboot.assigning.offers import Offered, offers_at
from ognetboot.assigning.setting import Limits, Whom
from ognetboot.assigning.store import Change, Store
from ognetboot.errors import NetbootError
from ognetboot.inventory import editing, reading
from ognetboot.inventory.entries import Entry
from ognetboot.inventory.model import Inventory
from ognetboot.inventory.saving import Opened, open_inventory, save
from ognetboot.texts.refresh import check_tree, prepared, write_prepared

# Where `ogrepo install` puts it.
_TREE = Path("/srv/oglive/netboot")


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

    def assignment(
        self, to: Whom, entry: str, limits: Limits, *, exam: bool = False
    ) -> Assignment:
        """A new one, by whoever gives this order."""
        return Assignment(
            number=secrets.token_hex(6),
            scope=str(to.scope),
            entry=entry,
            by=self.by,
            made=self.now,
            start=limits.start,
            end=limits.end,
            boots=limits.boots,
            exam=exam,
        )

    def offers(self, to: Whom, inventory: Inventory, assigned: Assigned) -> Mapping[str, Offered]:
        """What the PCs of the scope are offered now, by their names."""
        return setting.offers(inventory, assigned, to.clients, self.now)


def add_tree(parser: argparse.ArgumentParser) -> None:
    """The option `--out`."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="OUT",
        help=f"the tree to write (default: the inventory's tftp_root, else {_TREE})",
    )


@contextmanager
def at_desk(
    args: argparse.Namespace, *, by: str = "", dry_run: bool = False
) -> Iterator[Desk]:
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
    setting.refuse_unable(desk.inventory, to, entry, limits.start or desk.now)
    if not to.clients:
        raise NetbootError(f"{to.scope} has no PC", hint="name a room, a group or a PC that has")
    before = desk.offers(to, desk.inventory, desk.change.assigned)
    inventory, assigned, text = desk.inventory, desk.change.assigned, desk.opened.text
    if limits.none:
        inventory = setting.with_entry(inventory, to, entry.name)
        text = editing.with_choice(text, desk.inventory, to.scope, "entry", entry.name)
    else:
        new = desk.assignment(to, entry.name, limits)
        assigned = setting.with_assignment(assigned, new, desk.now)
    changed = text != desk.opened.text or assigned != desk.change.assigned
    written = carry_out(desk, to, inventory, assigned, text, f"set {to.scope} {entry.name}", limits)
    after = desk.offers(to, inventory, assigned)
    when = setting.said(limits)
    if not changed and not written:
        return f"{to}: nothing to change, it is {entry.name} {when} already"
    lines = [f"{to}: {entry.name} {when}; before: {setting.counted(before)}"]
    if limits.boots is not None:
        lines.append(heard_by(desk.opened.path).rule)
    begun = limits.start is None or limits.start <= desk.now
    lines += setting.others(after, entry.name) if begun else ()
    return "\n".join(lines)


def carry_out(
    desk: Desk,
    to: Whom,
    inventory: Inventory,
    assigned: Assigned,
    text: str,
    note: str,
    limits: Limits | None = None,
) -> int:
    """Write what was ordered, then the files of the PCs; how many of them were others before."""
    files = prepared(inventory, to.clients, offers_at(inventory, assigned, desk.now))
    if desk.dry_run:
        return 0
    if assigned != desk.change.assigned or text != desk.opened.text:
        desk.change.notes.append(f"{note} {setting.said(limits)}" if limits else note)
    desk.change.assigned = assigned
    desk.change.keep()
    save(desk.opened, text)
    return write_prepared(desk.out, files)
