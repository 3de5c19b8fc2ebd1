# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what PCs boot as it is to be: written when serving begins, and again when the inventory was
saved, something was assigned or used up, or a time has come."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ognetboot.errors import NetbootError
from ognetboot.inventory.model import Inventory

LOG = logging.getLogger("ognetboot")

_LOOK_S = 1.0
# After a writing comes a rest of so many times as long: nobody can keep this machine busy by
# sending again and again what makes it write.
_REST = 2.0
_AGAIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Written:
    """What is there now. `dnsmasq`: its configuration. `next_change`: when what is there is to be
    another without anybody's doing."""

    inventory: Inventory
    dnsmasq: str
    changed: bool
    next_change: datetime | None


# Reads the inventory and what is assigned, and writes what follows from them.
Write = Callable[[], Written]
_Stamp = tuple[tuple[int, int, int] | None, ...]


class Keeper:
    """Looks once a second whether one of `watched` is another file than it was."""

    def __init__(
        self, watched: tuple[Path, ...], write: Write, then: Callable[[Written], object]
    ) -> None:
        self._watched = watched
        self._write = write
        self._then = then
        self._wake = asyncio.Event()
        self._stamp = self._look()
        self._due: datetime | None = None
        self._looked = datetime.now(UTC)
        self._trouble = ""

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    async def begin(self) -> Written:
        """The first writing, whose refusal is the caller's. In a thread, as those that follow: it
        may wait for another program, and signals are heard meanwhile."""
        self._stamp = self._look()
        written = await asyncio.to_thread(self._write)
        self._due = written.next_change
        return written

    async def keep(self) -> None:
        """Until this task is cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _LOOK_S)
            self._wake.clear()
            stamp = self._look()
            if stamp == self._stamp and not self._is_due():
                continue
            begun = time.monotonic()
            await self._renew(stamp)
            await asyncio.sleep((time.monotonic() - begun) * _REST)

    async def _renew(self, stamp: _Stamp) -> None:
        self._stamp, self._due = stamp, None
        try:
            written = await asyncio.to_thread(self._write)
        except NetbootError as error:
            self._failed(f"{error.message}. {error.hint[:1].upper()}{error.hint[1:]}")
            return
        except OSError as error:
            self._failed(f"{error.filename}: {error.strerror}")
            return
        if self._trouble:
            self._trouble = ""
            LOG.info("The fault is gone: PCs get what the inventory says.")
        self._due = written.next_change
        if written.changed:
            count = len(written.inventory.clients)
            LOG.info("What %d PC%s boot was written anew.", count, "" if count == 1 else "s")
        self._then(written)

    def _failed(self, why: str) -> None:
        """Told once; tried again, for a full disk is emptied without a change of these files."""
        self._due = datetime.now(UTC) + _AGAIN
        if why != self._trouble:
            self._trouble = why
            LOG.error("%s. PCs get what they got before.", why)

    def _is_due(self) -> bool:
        """Whether the time has come; or went back, after which all that hangs on it is anew."""
        now, before = datetime.now(UTC), self._looked
        self._looked = now
        return now < before or (self._due is not None and self._due <= now)

    def _look(self) -> _Stamp:
        return tuple(map(_stamp, self._watched))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
