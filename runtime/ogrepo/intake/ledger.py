# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's free space, promised to uploads before their bytes arrive.

What one upload announced is not promised to another, and all files of one upload, which is of one
token, have one total. May be used from any thread.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from oglib.errors import OgErr
from oglib.wording.amounts import human_bytes
from ogrepo.refusal import Refusal

SPARE_BYTES = 64 << 20  # a full disk would stop the whole machine, not only this upload
MOST_BYTES = 4 << 40
_FULL = 507
_T = TypeVar("_T")


@dataclass(slots=True)
class _Account:
    """``promised``: what the upload will have in all; ``have``: what each of its files has."""

    promised: int = 0
    have: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.have.values())

    @property
    def outstanding(self) -> int:
        return max(0, self.promised - self.total)


class Ledger:
    """Of one repository, whose uploads are gathered below ``where``.

    ``spare_bytes`` of its disk stay free. ``make_room`` is called before something is refused for
    want of room, and says whether there is more by then.
    """

    def __init__(
        self,
        where: Path,
        most_bytes: int = MOST_BYTES,
        spare_bytes: int = SPARE_BYTES,
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self._where = where
        self._most_bytes = most_bytes
        self._spare_bytes = spare_bytes
        self._make_room = make_room
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}

    def open(self, upload_id: str, have: dict[str, int], promised: int = 0) -> None:
        """Begin an account, with what an earlier server received and promised."""
        with self._lock:
            self._accounts[upload_id] = _Account(promised, dict(have))

    def close(self, upload_id: str) -> None:
        """The upload is over: what was promised to it is free for others."""
        with self._lock:
            self._accounts.pop(upload_id, None)

    def check(self) -> None:
        """Raise when there is no room at all."""
        self._with_room(lambda: self._check_free(self._promised_to_others(""), 0))

    def promise(self, upload_id: str, more_bytes: int) -> int:
        """Keep room for so much more of an upload, instead of what was promised it before.

        Returns the total that is now promised.
        """

        def promise() -> int:
            account = self._accounts.setdefault(upload_id, _Account())
            total = account.total + more_bytes
            self._check_free(self._promised_to_others(upload_id), more_bytes)
            self._check_total(total)
            account.promised = total
            return total

        return self._with_room(promise)

    def announce(self, upload_id: str, kind: str, start: int, count: int | None) -> None:
        """A file is cut off at ``start`` and will grow by ``count`` bytes, if that is known."""

        def announce() -> None:
            account = self._accounts.setdefault(upload_id, _Account())
            rest = account.total - account.have.get(kind, 0)
            total = rest + start + (count or 0)
            self._check_total(total)
            if total > account.promised:
                more = total - account.total
                self._check_free(self._promised_to_others(upload_id), more)
                account.promised = total
            account.have[kind] = start

        self._with_room(announce)

    def grow(self, upload_id: str, kind: str, count: int) -> None:
        """Raise unless ``count`` more bytes may be written to this file now."""

        def grow() -> None:
            account = self._accounts.setdefault(upload_id, _Account())
            total = account.total + count
            self._check_total(total)
            beyond = total > account.promised
            self._check_free(self._promised_to_others(upload_id) if beyond else 0, count)
            account.have[kind] = account.have.get(kind, 0) + count

        self._with_room(grow)

    def _with_room(self, work: Callable[[], _T]) -> _T:
        """Do it with the lock; again, when it was refused for room and room was made."""
        try:
            with self._lock:
                return work()
        except Refusal as refused:
            if refused.status != _FULL or not self._make_room():
                raise
        with self._lock:
            return work()

    def _promised_to_others(self, upload_id: str) -> int:
        return sum(one.outstanding for key, one in self._accounts.items() if key != upload_id)

    def _check_total(self, total: int) -> None:
        if total > self._most_bytes:
            raise Refusal(
                413,
                f"More than {human_bytes(self._most_bytes)} in all are not taken with one token.",
                hint="Start `ogrepo serve` with a larger --most-gib if the image is so large.",
            )

    def _check_free(self, promised: int, more: int) -> None:
        if shutil.disk_usage(self._where).free < promised + more + self._spare_bytes:
            spare = self._spare_bytes
            raise Refusal(
                _FULL,
                "The repository's disk is full"
                + (", or its room is promised to other captures" if promised else "")
                + (f"; {human_bytes(spare)} of it stay free." if spare > SPARE_BYTES else "."),
                hint="Remove images that are no longer needed there, then capture again.",
                code=OgErr.NOTWRITE,
            )
