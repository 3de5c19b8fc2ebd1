# SPDX-License-Identifier: GPL-3.0-or-later
"""The same root, to be changed: a file is replaced as a whole, never written through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from oglib.errors import WriteError
from oglib.osconfig import replacing
from oglib.osconfig.reading import ReadRoot
from oglib.osconfig.replacing import folder_of, place_of


class TargetRoot(ReadRoot):
    """Files of a mounted system by their path inside it; use as a context manager."""

    def write_bytes(
        self, name: str, data: bytes, *, mode: int = 0o644, own: bool = False, closed: bool = False
    ) -> None:
        """Put a whole new file in place of ``name``.

        Owner, mode and extended attributes of a regular file that was there are kept; power
        loss leaves the old or the new content. The folder must exist. A link to a regular file of
        the same filesystem stays, and that file is replaced; any other link is replaced itself, and
        with ``own`` every one. ``closed``: nobody but the owner keeps a right to it.
        """
        find = folder_of if own else place_of
        with self._doing("written", name), find(self._fd, name) as (folder_fd, last):
            replacing.replace_file(folder_fd, last, data, mode, closed=closed)

    def write_link(self, name: str, target: str) -> None:
        """Put a link to ``target``, as it is written there, in place of ``name``, whole or not."""
        with self._doing("written", name), folder_of(self._fd, name) as (folder_fd, last):
            replacing.replace_with_link(folder_fd, last, target)

    def rename(self, name: str, last: str) -> None:
        """Another name in the same folder; what has that name already is replaced."""
        with self._doing("renamed", name), folder_of(self._fd, name) as (folder_fd, old):
            replacing.rename_file(folder_fd, old, last)

    def put_proven(
        self, name: str, source: BinaryIO, prove: Callable[[BinaryIO], None], *, kept_as: str
    ) -> None:
        """Put all of ``source`` in place of the file ``name``, once ``prove`` has found it good.

        That reads it back from the disk, and raises where it is not. The old one is ``kept_as``.
        """
        with self._doing("replaced", name), place_of(self._fd, name) as (folder_fd, last):
            replacing.replace_proven(folder_fd, last, source, prove, kept_as)

    def remove(self, name: str) -> bool:
        """Remove a file or link (never what a link points to); False where there is none."""
        with self._doing("removed", name):
            try:
                with folder_of(self._fd, name) as (folder_fd, last):
                    replacing.remove_file(folder_fd, last)
            except FileNotFoundError:
                return False
        return True

    @contextmanager
    def _doing(self, done: str, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"{name} in {self.called} cannot be {done}: {error.strerror}."
            raise WriteError(why) from error
