# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a changed inventory: whole or not at all, and never over what somebody else changed.

Who changes it reads it with `open_inventory`, makes the new text, and gives both to `save`, which
looks again, alone with the file, whether it is still the one that was read.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.inventory import reading


@dataclass(frozen=True, slots=True)
class Opened:
    """An inventory as it was read; `path` is the file itself, not a link to it. `mark`: what stands
    before the text, if anything."""

    path: Path
    text: str
    mark: str

    @property
    def digest(self) -> bytes:
        """Of all its bytes."""
        return sha256((self.mark + self.text).encode()).digest()


def open_inventory(path: Path) -> Opened:
    """Read the file at `path`."""
    whole = reading.whole_text_of(path)
    text = whole.removeprefix(reading.MARK)
    return Opened(path.resolve(), text, whole[: len(whole) - len(text)])


def put(path: Path, text: str, *, anew: bool) -> None:
    """Write a whole inventory; one that is there is written `anew`, or else it is refused."""
    path = path.resolve()
    with _alone(path):
        there = path.exists()
        if there and not anew:
            raise NetbootError(
                f"{path} is there already",
                hint="add what is new with --into, or write it anew with --force",
            )
        keeping.write(path, text.encode(), like=path.stat() if there else None)


def save(opened: Opened, text: str) -> bool:
    """Write `text` in its place; False: it is the same. Refused where the file has changed."""
    if text == opened.text:
        return False
    path = opened.path
    with _alone(path):
        now = keeping.read(path, reading.MOST_BYTES)
        if now is None or sha256(now).digest() != opened.digest:
            raise NetbootError(
                f"{path} was changed by somebody else in the meantime, and nothing was written",
                hint="look at it, and do it again",
            )
        keeping.write(path, (opened.mark + text).encode(), like=path.stat())
    return True


def _alone(path: Path) -> AbstractContextManager[None]:
    return keeping.locked(keeping.beside(path, "toml.lock", hidden=True))
