# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps assignments beside the inventory, in `NAME.assigned.json`, and their history.

Who changes them holds one lock from reading to writing; who only reads needs none, for the file
changes whole. What somebody else wrote there is read with suspicion: everything is checked, and a
file that is not understood is refused, never taken for an empty one. Nor is one that is gone: an
empty file beside it says that it was there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

from ognetboot import keeping
from ognetboot.assigning import history, written
from ognetboot.assigning.model import MOST_ASSIGNED, Assigned
from ognetboot.errors import NetbootError

# 20,000 assignments with their uses; what is longer is no file of ours.
_MOST_BYTES = 16 << 20


Noting = AbstractContextManager[None]


class Change:
    """What somebody who holds the lock does: `assigned` is written by `keep`, or at the end, where
    it differs; every line of `notes` goes into the history then. `noting(lines)` writes lines
    before what is done within it, and takes them back where that is refused."""

    def __init__(
        self,
        store: Store,
        before: Assigned,
        noting: Callable[[Iterable[str]], Noting],
    ) -> None:
        self.assigned = before
        self.noting = noting
        self.notes: list[str] = []
        self._store = store
        self._kept = before

    def keep(self) -> None:
        """Write it now: what follows may rely on it."""
        if self.assigned == self._kept:
            return
        if len(self.assigned.all) > MOST_ASSIGNED:
            raise NetbootError(
                f"{self._store.path} would hold more than {MOST_ASSIGNED} assignments",
                hint="give them to rooms or groups, and clear old ones",
            )
        keeping.write(self._store.path, written.text(self.assigned))
        self._store.mark()
        self._kept = self.assigned


class Store:
    """The assignments of one inventory."""

    def __init__(self, inventory: Path) -> None:
        self.path = keeping.beside(inventory, "assigned.json")
        self.history = keeping.beside(inventory, "history")
        self._lock = keeping.beside(inventory, "assigned.lock", hidden=True)
        self._was = keeping.beside(inventory, "assigned.was", hidden=True)

    def read(self) -> Assigned:
        """All that is assigned; nothing where there never was a file. One that is gone is refused:
        an exam may have been in it."""
        for _ in range(2):  # the first writer may come between the two looks
            content = keeping.read(self.path, _MOST_BYTES)
            if content is not None:
                return written.parse(content, self.path)
            if keeping.read(self._was, 0) is None:
                return Assigned()
        raise NetbootError(
            f"{self.path} is gone, and nobody knows what was assigned in it",
            hint=f"put it back; or remove {self._was} too, and nothing is assigned",
        )

    def mark(self) -> None:
        """Remember that there is a file of assignments."""
        if not self._was.exists():
            keeping.write(self._was, b"")

    @contextmanager
    def changing(self, by: str, now: datetime) -> Iterator[Change]:
        """Alone with the assignments until the end, which writes them; not after an error."""
        with keeping.locked(self._lock):
            change = Change(
                self, self.read(), lambda lines: history.noting(self.history, lines, by, now)
            )
            if self.path.exists():  # an ognetboot that left no mark may have written it
                self.mark()
            yield change
            change.keep()
            history.add(self.history, change.notes, by, now)
