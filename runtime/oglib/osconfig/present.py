# SPDX-License-Identifier: GPL-3.0-or-later
"""A root of which parts are not here: whatever lies in them is an error, never an absence.

Links are followed one by one to see whether a path leads into such a part, before the kernel is
asked for what it means in the tree that there is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from oglib.errors import OgErr, OgError
from oglib.fitting.edits import Files
from oglib.osconfig.reading import READ_LIMIT_BYTES
from oglib.osconfig.root import TargetRoot

_MOST_LINKS = 40  # as the kernel follows


class Present(Files):
    """``absent``: the parts that are not here, each with the sentence that says why."""

    def __init__(self, root: TargetRoot, absent: dict[str, str]) -> None:
        self._root = root
        self._absent = absent
        self.path: Path = root.path
        self.called = root.called

    def exists(self, name: str) -> bool:
        return self._asked(name).exists(name)

    def is_directory(self, name: str) -> bool:
        return self._asked(name).is_directory(name)

    def is_regular(self, name: str) -> bool:
        return self._asked(name).is_regular(name)

    def names(self, name: str) -> list[str]:
        return self._asked(name).names(name)

    def irregular_below(self, name: str) -> list[str]:
        return self._asked(name).irregular_below(name)

    def read_bytes(self, name: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        return self._asked(name).read_bytes(name, limit_bytes=limit_bytes)

    def open_regular(self, name: str, limit_bytes: int | None = None) -> BinaryIO:
        return self._asked(name).open_regular(name, limit_bytes)

    def folder_path(self, name: str) -> Path | None:
        return self._asked(name).folder_path(name)

    def put_proven(
        self, name: str, source: BinaryIO, prove: Callable[[BinaryIO], None], *, kept_as: str
    ) -> None:
        self._asked(name).put_proven(name, source, prove, kept_as=kept_as)

    def read_head(self, name: str, size_bytes: int) -> bytes:
        return self._asked(name).read_head(name, size_bytes)

    def link_target(self, name: str) -> str | None:
        return self._asked(name).link_target(name)

    def write_link(self, name: str, target: str) -> None:
        self._asked(name).write_link(name, target)

    def rename(self, name: str, last: str) -> None:
        self._asked(name).rename(name, last)

    def write_bytes(
        self, name: str, data: bytes, *, mode: int = 0o644, own: bool = False, closed: bool = False
    ) -> None:
        self._asked(name).write_bytes(name, data, mode=mode, own=own, closed=closed)

    def remove(self, name: str) -> bool:
        return self._asked(name).remove(name)

    def _asked(self, name: str) -> TargetRoot:
        """The root, where it can answer for ``name``."""
        for part, note in self._absent.items() if self._absent else ():
            if self._leads_into(name, part):
                raise OgError(f"{name} cannot be told: {note}", code=OgErr.NOTFOUND)
        return self._root

    def _leads_into(self, name: str, part: str) -> bool:
        at, left, links = PurePosixPath("/"), list(PurePosixPath("/", name).parts[1:]), 0
        while left:
            step = left.pop(0)
            at = at.parent if step == ".." else at / step
            if at.is_relative_to(part):
                return True
            if at.name and links < _MOST_LINKS and (target := self._root.link_target(str(at))):
                links += 1
                there = PurePosixPath(at.parent / target)
                at, left = PurePosixPath("/"), [*there.parts[1:], *left]
        return False
