# SPDX-License-Identifier: GPL-3.0-or-later
"""What can become of a file of another system beside a new content: it goes, moves, is a link.

The content of these files is not read: it is large, or a secret that a diff must not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from oglib.errors import OgErr, OgError
from oglib.fitting.edits import Files, differs


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
        told = (
            f"diff --git a/{self.path} b/{to}\nsimilarity index 100%\n"
            f"rename from {self.path}\nrename to {to}\n"
        )
        return told.encode("utf-8", "surrogateescape")

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
        new = f"+{self.target}\n\\ No newline at end of file\n"
        if self.old is None:
            head = "new file mode 120000\n--- /dev/null\n"
            hunk = f"@@ -0,0 +1 @@\n{new}"
        else:
            head = f"--- a/{self.path}\n"
            hunk = f"@@ -1 +1 @@\n-{self.old}\n\\ No newline at end of file\n{new}"
        told = f"diff --git a/{self.path} b/{self.path}\n{head}+++ b/{self.path}\n{hunk}"
        return told.encode("utf-8", "surrogateescape")

    def write(self, root: Files) -> None:
        if root.link_target(self.path) != self.old:
            raise OgError(
                f"{self.path} in {root.called} is not as it was when this was planned.",
                hint="Run it again.",
                code=OgErr.NOTWRITE,
            )
        root.write_link(self.path, self.target)
