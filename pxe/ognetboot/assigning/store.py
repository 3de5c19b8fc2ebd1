# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps assignments beside the inventory, in `NAME.assigned.json`, and their history.

Who changes them holds one lock from reading to writing; who only reads needs none, for the file
changes whole. What somebody else wrote there is read with suspicion: everything is checked, and a
file that is not understood is refused, never taken for an empty one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ognetboot import keeping
from ognetboot.assigning import history, written
from ognetboot.assigning.model import MOST_ASSIGNED, Assigned
from ognetboot.errors import NetbootError

# 20,000 assignments with their uses; what is longer is no file of ours.
_MOST_BYTES = 16 << 20


class Change:
    """What somebody who holds the lock does: `assigned` is written by `keep`, or at the end, where
    it differs; every line of `notes` goes into the history."""

    def __init__(self, path: Path, before: Assigned) -> None:
        self.assigned = before
        self.notes: list[str] = []
        self._path = path
        self._kept = before

    def keep(self) -> None:
        """Write it now: what follows may rely on it."""
        if self.assigned == self._kept:
            return
        if len(self.assigned.all) > MOST_ASSIGNED:
            raise NetbootError(
                f"{self._path} would hold more than {MOST_ASSIGNED} assignments",
                hint="give them to rooms or groups, and clear old ones",
            )
        keeping.write(self._path, written.text(self.assigned))
        self._kept = self.assigned


class Store:
    """The assignments of one inventory."""

    def __init__(self, inventory: Path) -> None:
        self.path = inventory.with_name(f"{inventory.stem}.assigned.json")
        self.history = inventory.with_name(f"{inventory.stem}.history")
        self._lock = inventory.with_name(f".{inventory.stem}.lock")

    def read(self) -> Assigned:
        """All that is assigned; nothing where there is no file."""
        content = keeping.read(self.path, _MOST_BYTES)
        return Assigned() if content is None else written.parse(content, self.path)

    @contextmanager
    def changing(self, by: str, now: datetime) -> Iterator[Change]:
        """Alone with the assignments until the end, which writes them; not after an error."""
        with keeping.locked(self._lock):
            change = Change(self.path, self.read())
            yield change
            change.keep()
            history.add(self.history, change.notes, by, now)
