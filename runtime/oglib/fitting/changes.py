# SPDX-License-Identifier: GPL-3.0-or-later
"""What can become of a file of another system beside a new content: it goes, moves, is a link.

The content of these files is not read: it is large, or a secret that a diff must not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from oglib.errors import OgErr, OgError
from oglib.fitting.edits import Edit, Files, bytes_of, differs, name_in_diff


class Change(Protocol):
    """One file as it will be (``edits.Edit``, and the values of this module)."""

    @property
    def path(self) -> str: ...

    @property
    def is_new(self) -> bool:
        """Whether there is a file afterwards where none was."""

    @property
    def diff(self) -> bytes:
        """What a person is shown of it, in the form of a unified diff."""

    def write(self, root: Files) -> None:
        """Do it. OgError on a fault, or where the file is not what the change was made for."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A file that goes."""

    path: str
    is_new: bool = False

    @property
    def diff(self) -> bytes:
        return differs(self.path, new=False)

    def write(self, root: Files) -> None:
        root.remove(self.path)


@dataclass(frozen=True, slots=True)
class Emptied:
    """A file that stays, with its owner and mode, and holds nothing."""

    path: str
    is_new: bool = False

    @property
    def diff(self) -> bytes:
        return differs(self.path)

    def write(self, root: Files) -> None:
        root.write_bytes(self.path, b"")


@dataclass(frozen=True, slots=True)
class Renamed:
    """A file that gets another last name in its folder."""

    path: str
    last: str
    is_new: bool = False

    @property
    def diff(self) -> bytes:
        to = f"{self.path.rpartition('/')[0]}/{self.last}".lstrip("/")
        return (b"diff --git %s %s\nsimilarity index 100%%\nrename from %s\nrename to %s\n") % (
            name_in_diff(f"a/{self.path}", beside=True),
            name_in_diff(f"b/{to}", beside=True),
            name_in_diff(self.path),
            name_in_diff(to),
        )

    def write(self, root: Files) -> None:
        root.rename(self.path, self.last)


@dataclass(frozen=True, slots=True)
class Linked:
    """A link to ``target``. ``old``: what it led to; None: there was nothing."""

    path: str
    old: str | None
    target: str

    @property
    def is_new(self) -> bool:
        return self.old is None

    @property
    def diff(self) -> bytes:
        """As git shows a link: a file whose one line is what it leads to."""
        sides = f"a/{self.path}", f"b/{self.path}"
        head = b"diff --git %s %s\n" % tuple(name_in_diff(one, beside=True) for one in sides)
        edit = Edit(
            self.path, None if self.old is None else bytes_of(self.old), bytes_of(self.target)
        )
        return head + (b"new file mode 120000\n" if self.old is None else b"") + edit.diff

    def write(self, root: Files) -> None:
        if root.link_target(self.path) != self.old:
            raise OgError(
                f"{self.path} in {root.called} is not as it was when this was planned.",
                hint="Run it again.",
                code=OgErr.NOTWRITE,
            )
        root.write_link(self.path, self.target)
