# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry of the cache that is held: the cache is mounted for it, and nobody takes it away.

It can be let go for the moments in which the table of the cache's own disk is written, and taken
again behind them: its files are opened anew then, if they are the same.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from oglib.cache.find import CachePartition
from oglib.cache.model import Entry
from oglib.cache.partition import Places
from oglib.cache.store import Store
from oglib.deploy.library.cache import opened_cache
from oglib.errors import ImageError, OgErr, OgError
from oglib.image.reading.local import OwnFiles
from oglib.image.reading.source import FileSource
from oglib.settings import Settings


class HeldFile(FileSource):
    """A file of an entry that is held; ``is_read`` once it gave anything."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_read = False

    def read(self, offset: int, length: int) -> bytes:
        data = super().read(offset, length)
        self.is_read = True
        return data

    def wake(self) -> None:
        """Open it anew, behind ``close``."""
        super().__init__(self.path)


class Hold:
    """The entry that ``find`` finds in this PC's cache; used from one thread, its files from any.

    ``may_go``: it is one place of several, so it is no failure where it is not there any more.
    """

    def __init__(
        self, settings: Settings, find: Callable[[Store], Entry], *, may_go: bool = False
    ) -> None:
        self.may_go = may_go
        self._settings = settings
        self._find = find
        self._stack: ExitStack | None = None
        self._store: Store | None = None
        self._entry: Entry | None = None
        self._files: list[HeldFile] = []
        self._is_wrong = threading.Event()
        self.partition: CachePartition | None = None

    def take(self) -> Entry:
        """Mount the cache and lock the entry; LOCKED, NOTFOUND or NOTCACHE where that cannot be."""
        with ExitStack() as stack:
            cache = stack.enter_context(opened_cache(self._settings, Places.from_environment()))
            name = self._find(cache.store).name
            entry = stack.enter_context(cache.store.holding(name))
            if self._entry is not None and entry.files != self._entry.files:
                raise ImageError(
                    f"{name} in the cache is another one by now.", hint="Run it again."
                )
            for file in self._files:
                file.wake()
            self._store, self._entry, self.partition = cache.store, entry, cache.partition
            self._stack = stack.pop_all()
        return entry

    def take_again(self) -> None:
        """As ``take``; where it ``may_go``, its files fail from now on instead."""
        try:
            self.take()
        except OgError:
            if not self.may_go:
                raise

    @property
    def is_taken(self) -> bool:
        return self._stack is not None

    def source(self, path: Path) -> HeldFile:
        """A file of the entry, read as long as it is held."""
        file = HeldFile(path)
        self._files.append(file)
        return file

    def let_stand(self, files: OwnFiles, scratch: Path) -> OwnFiles:
        """The same, with a table that can be mapped while the cache is not mounted."""
        if not files.frames.is_file():
            return files
        copy = scratch / "frames"
        try:
            shutil.copyfile(files.frames, copy)
        except OSError as error:
            raise ImageError(
                f"{files.frames} cannot be copied to {scratch}: {error.strerror}."
            ) from error
        return replace(files, frames=copy)

    def blamed(self) -> None:
        """What a file gave is not what was stored; the entry is marked when it is let go."""
        self._is_wrong.set()

    def count_use(self) -> None:
        """It was of use, if anything of it was read."""
        if self._store and self._entry and any(file.is_read for file in self._files):
            self._store.count_use(self._entry.name)

    def let_go(self) -> None:
        """Once or more often."""
        for file in self._files:
            file.close()
        stack, self._stack = self._stack, None
        if stack is None:
            return
        with stack:
            if self._is_wrong.is_set() and self._store and self._entry:
                with suppress(OgError):  # a disk that fails may not take the mark either
                    self._store.mark_damaged(self._entry.name)

    def give_up(self) -> None:
        """It will not come back: what is written takes the cache away."""
        self.let_go()
        self._find = _gone


def _gone(_store: Store) -> Entry:
    raise OgError("The cache is taken away by what is written.", code=OgErr.NOTCACHE)
