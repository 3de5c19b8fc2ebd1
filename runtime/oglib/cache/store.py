# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of images on a mounted cache: list, publish, evict, pin, use.

An entry is visible only when it is complete, durable and judged by ``prove``. Every change can
be cut by a power failure; ``recover`` then finishes or undoes it. Several processes may use one
store: moments under its lock, longer work under locks of its own staging folder or entry.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from oglib.cache import folder as disk
from oglib.cache.model import Entry, Prove, Room
from oglib.cache.place import FILES, RECORD, commit, note_use, place, refuse_clash, retire
from oglib.cache.plan import plan_room
from oglib.cache.proof import digests_of, prove_by_sum
from oglib.cache.record import Record, read_state, write_state
from oglib.cache.recover import check, recover
from oglib.cache.staging import Leftover, drop, kept_place, leftovers, staging_for
from oglib.cache.survey import COMPANIONS, survey
from oglib.cache.versions import last_version, remember
from oglib.errors import NotFoundError, OgErr, OgError, UsageError
from oglib.partfile import is_at
from oglib.wording.nearest import meant

Fill = Callable[[Path], None]


class Store:
    """The images of the cache mounted at ``root``; its folders are made where missing."""

    def __init__(self, root: Path, *, prove: Prove = prove_by_sum) -> None:
        self._folder = disk.open_folder(root)
        self._prove = prove

    def renew(self) -> None:
        """Begin anew on the fresh filesystem that now is at ``root``."""
        self._folder = disk.open_folder(self.root)

    @property
    def root(self) -> Path:
        return self._folder.root

    def free_bytes(self) -> int:
        return self._folder.free_bytes()

    def size_bytes(self) -> int:
        """What the store could hold if it were empty, about."""
        return self._folder.size_bytes()

    def entries(self) -> tuple[Entry, ...]:
        """Every whole entry, by name; whatever is not whole is not shown."""
        with disk.translated_errors("Reading the cache"), disk.locked(self._folder, shared=True):
            return survey(self._folder).entries

    def entry(self, name: str) -> Entry:
        """The entry of this name."""
        return _called(name, self.entries())

    def in_use(self) -> frozenset[str]:
        """The names of the entries that somebody restores from."""
        return frozenset(one.name for one in self.entries() if disk.in_use(one.path))

    def room_for(self, size_bytes: int, *, replaces: str = "", freed_bytes: int = 0) -> Room:
        """Whether ``size_bytes`` fit, and what would have to be evicted; changes nothing.

        ``freed_bytes``: what will be free as well.
        """
        return plan_room(
            size_bytes,
            self.free_bytes() + freed_bytes,
            self.entries(),
            replaces=replaces,
            in_use=self.in_use(),
        )

    def publish(self, name: str, fill: Fill, *, key: str = "") -> Entry:
        """Store an image; an older version of it is shown until this one is complete.

        ``fill`` writes ``NAME.img`` (or the folder ``NAME``) and the files beside it into the
        folder it is given. Whatever fails, nothing of it stays, but with a ``key`` (the digest of
        what it becomes) what was written stays for the next run with the same key, which is given
        the same folder.
        """
        *above, leaf = disk.checked_name(name).split("/")
        with (
            disk.translated_errors(f"Storing {name} in the cache"),
            staging_for(self._folder, name, key) as staged,
        ):
            (staged / FILES).mkdir(exist_ok=True)
            fill(staged / FILES)
            head = "/".join((*above, _head_in(staged / FILES, leaf, name)))
            disk.sync_tree(staged)
            files = staged / FILES
            digests = digests_of(files, os.listdir(files))  # noqa: PTH208 - names alone
            proof = self._prove(files / Path(head).name, digests)
            record = Record(name, head, proof, digests)
            disk.write_whole(staged / RECORD, record.to_bytes())
            trash = self._place(staged, record)
            disk.delete(trash)
        return self.entry(name)

    def _place(self, staged: Path, record: Record) -> Path:
        with disk.locked(self._folder):
            known = survey(self._folder).entries
            refuse_clash(self._folder, record, known)
            for one in known:
                if one.name == record.name:
                    self._refuse_in_use(one)
            ready = commit(self._folder, staged, record.name)
            note_use(self._folder, record.head)
            return place(self._folder, ready)[1]

    def check_evictable(self, name: str) -> Entry:
        """The entry of this name; raises where ``evict`` would refuse it now."""
        found = self.entry(name)
        self._refuse_pinned(found)
        self._refuse_in_use(found)
        return found

    def evict(self, name: str) -> int:
        """Delete an entry; returns its size. One that is pinned or in use is refused."""
        with disk.translated_errors(f"Evicting {name} from the cache"):
            with disk.locked(self._folder):
                found = _called(name, survey(self._folder).entries)
                self._refuse_pinned(found)
                self._refuse_in_use(found)
                trash = retire(self._folder, self._head(found))
            disk.delete(trash)
        return found.size_bytes

    def pin(self, name: str) -> None:
        """Keep an entry from being evicted, also across its new versions."""
        self._set_pin(name, pinned=True)

    def unpin(self, name: str) -> None:
        self._set_pin(name, pinned=False)

    @contextmanager
    def holding(self, name: str) -> Iterator[Entry]:
        """The entry, kept from eviction and replacement until the block ends."""
        with disk.translated_errors(f"Reading {name} in the cache"):
            handle = disk.lock_shared(self.entry(name).path)
        try:
            found = self.entry(name)
            if not is_at(handle, found.path):
                raise OgError(f"{name} was just replaced.", hint="Try again.", code=OgErr.LOCKED)
            yield found
        finally:
            os.close(handle)

    def count_use(self, name: str) -> None:
        """The entry was of use: it is now the one that was used last."""
        with disk.translated_errors("Noting a use in the cache"), disk.locked(self._folder):
            note_use(self._folder, self._head(_called(name, survey(self._folder).entries)))

    def leftovers(self) -> tuple[Leftover, ...]:
        """What was begun, was cut, and waits to be gone on with."""
        with disk.translated_errors("Reading the cache"):
            return leftovers(self._folder)

    def begun(self, name: str, key: str) -> Leftover | None:
        """The one of them that ``publish`` would go on with."""
        path = kept_place(self._folder, name, key)
        return next((one for one in self.leftovers() if one.path == path), None)

    def drop(self, one: Leftover) -> bool:
        """Delete what was begun; False where somebody goes on with it."""
        with disk.translated_errors(f"Deleting what was fetched of {one.name}"):
            return drop(self._folder, one)

    def mark_damaged(self, name: str) -> None:
        """The entry was found to be damaged: it is not relied on until it was brought anew."""
        with disk.translated_errors(f"Marking {name}"), disk.locked(self._folder):
            path = self._folder.state(self._head(_called(name, survey(self._folder).entries)))
            write_state(path, replace(read_state(path), damaged=True))

    def last_version(self, name: str) -> int:
        """The last version that this PC had of the image ``name``; 0 where none is remembered."""
        return last_version(self.root, name)

    def remember(self, name: str, version: int) -> None:
        """Keep ``version`` for ``last_version``."""
        with (
            disk.translated_errors(f"Remembering the version of {name}"),
            disk.locked(self._folder),
        ):
            remember(self._folder, name, version)

    def recover(self, *, since_mount: bool = False) -> tuple[str, ...]:
        """Finish or undo what a power cut left; one sentence for each thing that was done.

        ``since_mount``: others may be at work here, so only our own rooms are tidied.
        """
        with disk.translated_errors("Recovering the cache"):
            return recover(self._folder, since_mount=since_mount)

    def check(self, *, deep: bool = False) -> tuple[str, ...]:
        """``recover``, and with ``deep`` read every byte; damaged entries are removed and told."""
        with disk.translated_errors("Checking the cache"):
            return check(self._folder, self._prove, deep=deep)

    def _set_pin(self, name: str, *, pinned: bool) -> None:
        path = self._folder.state(self._head(self.entry(name)))
        with disk.translated_errors(f"Pinning {name}"), disk.locked(self._folder):
            write_state(path, replace(read_state(path), pinned=pinned))

    def _head(self, entry: Entry) -> str:
        return str(entry.path.relative_to(self._folder.images))

    @staticmethod
    def _refuse_in_use(entry: Entry) -> None:
        if disk.in_use(entry.path):
            raise OgError(
                f"{entry.name} is being restored from the cache.",
                hint="Wait until that has ended.",
                code=OgErr.LOCKED,
            )

    @staticmethod
    def _refuse_pinned(entry: Entry) -> None:
        if entry.pinned:
            raise OgError(
                f"{entry.name} is pinned in the cache.",
                hint=f"Let it go first: `og cache unpin {entry.name}`.",
                code=OgErr.LOCKED,
            )


def _called(name: str, known: Sequence[Entry]) -> Entry:
    found = next((one for one in known if one.name == name), None)
    if found is None:
        names = [one.name for one in known]
        raise NotFoundError(
            f"The cache holds no image {name}.",
            hint=f"{meant(name, names)}It holds {', '.join(names) or 'nothing'}.",
        )
    return found


def _head_in(files: Path, leaf: str, name: str) -> str:
    """Which of the written files is the image; raises when one does not belong to it."""
    written = {path.name for path in files.iterdir()}
    head = next((one for one in (f"{leaf}.img", leaf) if one in written), None)
    if head is None:
        raise UsageError(f"Nothing named {leaf}.img was written for {name}.")
    strange = sorted(written - {head} - {head + suffix for suffix in COMPANIONS})
    if strange:
        raise UsageError(f"{', '.join(strange)} does not belong to the image {name}.")
    return head
