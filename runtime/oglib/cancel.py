# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's or a server's word that work shall end: a value that work is given, and asks.

Work asks between two pieces of it, never inside one: what was begun to be written is ended, so
that a target is left as any interruption leaves it, and the same call goes on from there.
"""

from __future__ import annotations

import threading

from oglib.errors import CancelledError


class Cancel:
    """May be set from any thread, once and for all; whoever works calls ``check``."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._why = ""

    def set(self, why: str) -> None:
        """End what is done under it. ``why``: by whom, as a sentence; the first one counts."""
        if not self._event.is_set():
            self._why = why
        self._event.set()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise ``CancelledError`` where it was set."""
        if self._event.is_set():
            raise CancelledError(self._why)


class _Never(Cancel):
    """For work that nobody cancels but by a signal."""

    def set(self, why: str) -> None:
        raise ValueError(f"this work cannot be cancelled: {why}")


NEVER: Cancel = _Never()
