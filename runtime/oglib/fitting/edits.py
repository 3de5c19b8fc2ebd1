# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of another system, changed: the whole old and new content, and the difference of both.

Contents are bytes. Whoever reads words in them decodes with ``words_of``, which loses nothing:
``bytes_of`` gives back every byte that was not changed, whatever its encoding was.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from oglib.errors import OgErr, OgError

_CONTEXT = 3
# Of both texts together: comparing more line by line can take minutes where a text wants it so.
_MOST_COMPARED_LINES = 2000
_NO_FILE = b"/dev/null"
_NEEDS_QUOTES = re.compile(rb"[\x00-\x1f\x7f\"\\]")
# Of GRUB's files: whoever has a digest can try passwords on it.
_DIGEST = re.compile(rb"(grub\.pbkdf2\.)[0-9A-Za-z.]+")
_PASSWORD = re.compile(rb"((?<![0-9A-Za-z_-])password[ \t]+)[^\n]+")
_OF_GRUB = ("grub", "menu.lst")
_NO_NEWLINE = b"\n\\ No newline at end of file\n"


class Files(Protocol):
    """A mounted root that cannot be left (``osconfig.root.TargetRoot``).

    ``path``: where it is, for programs of ours that need one. Reading raises FileNotFoundError
    where there is none and OgError where that cannot be told; writing raises WriteError.
    """

    path: Path
    called: str

    def exists(self, name: str) -> bool: ...
    def is_directory(self, name: str) -> bool: ...
    def is_regular(self, name: str) -> bool: ...
    def names(self, name: str) -> list[str]: ...
    def irregular_below(self, name: str) -> list[str]: ...
    def read_bytes(self, name: str, *, limit_bytes: int = ...) -> bytes: ...
    def read_head(self, name: str, size_bytes: int) -> bytes: ...
    def open_regular(self, name: str, limit_bytes: int | None = None) -> BinaryIO: ...
    def folder_path(self, name: str) -> Path | None: ...
    def link_target(self, name: str) -> str | None: ...
    def write_link(self, name: str, target: str) -> None: ...
    def rename(self, name: str, last: str) -> None: ...
    def put_proven(
        self, name: str, source: BinaryIO, prove: Callable[[BinaryIO], None], *, kept_as: str
    ) -> None: ...
    def write_bytes(
        self, name: str, data: bytes, *, mode: int = 0o644, own: bool = False, closed: bool = False
    ) -> None: ...
    def remove(self, name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Edit:
    """One file. ``old`` None: there is none; ``new`` None: it goes. ``mode``: of a new file.

    ``private``: passwords may stand in it, so that its lines are shown to nobody. ``own``: a link
    of that name is replaced, wherever it leads. ``closed``: nobody but its owner reads it then,
    whatever its mode was.
    """

    path: str
    old: bytes | None
    new: bytes | None
    mode: int = 0o644
    private: bool = False
    own: bool = False
    closed: bool = False

    @property
    def is_new(self) -> bool:
        """Whether there is a file afterwards where none was."""
        return self.old is None and self.new is not None

    @property
    def diff(self) -> bytes:
        """A unified diff as ``patch -p1`` takes it; empty where nothing changes.

        Passwords of GRUB and their digests are left out of its lines.
        """
        if self.old == self.new:
            return b""
        if self.private:
            return differs(self.path, old=self.old is not None, new=self.new is not None)
        names = _head(self.old, "a", self.path), _head(self.new, "b", self.path)
        return b"--- %s\n+++ %s\n" % names + _without_passwords(
            self.path, _hunks(self.old or b"", self.new or b"")
        )

    def write(self, root: Files) -> None:
        """Put it there. OgError where the file is not what the edit was made for, or on a fault."""
        if content(root, self.path) != self.old:
            raise OgError(
                f"{self.path} in {root.called} is not as it was when this was planned.",
                hint="Run it again.",
                code=OgErr.NOTWRITE,
            )
        if self.new is None:
            root.remove(self.path)
        else:
            root.write_bytes(self.path, self.new, mode=self.mode, own=self.own, closed=self.closed)


def _without_passwords(path: str, text: bytes) -> bytes:
    text = _DIGEST.sub(rb"\1(not shown)", text)
    if not any(word in path for word in _OF_GRUB):
        return text
    return _PASSWORD.sub(rb"\1(not shown)", text)


def differs(path: str, *, old: bool = True, new: bool = True) -> bytes:
    """What ``diff`` says of a file whose lines it does not show."""
    before = name_in_diff(f"a/{path}") if old else _NO_FILE
    after = name_in_diff(f"b/{path}") if new else _NO_FILE
    return b"Binary files %s and %s differ\n" % (before, after)


def _hunks(old: bytes, new: bytes) -> bytes:
    """A unified diff of two contents, without the names that it begins with."""
    before, after = _lines(old), _lines(new)
    if len(before) + len(after) > _MOST_COMPARED_LINES:
        found: Iterator[bytes] = _as_one_hunk(before, after)
    else:
        compared = difflib.diff_bytes(
            difflib.unified_diff, before, after, b"", b"", n=_CONTEXT, lineterm=b"\n"
        )
        found = (line for number, line in enumerate(compared) if number > 1)
    return b"".join(line if line.endswith(b"\n") else line + _NO_NEWLINE for line in found)


def name_in_diff(name: str, *, beside: bool = False) -> bytes:
    """A file's name as ``patch`` reads it: in quotes where what is in it would end it.

    ``beside``: another name stands in the same line, so that a blank would end it too.
    """
    raw = bytes_of(name)
    if not _NEEDS_QUOTES.search(raw) and not raw.endswith(b" ") and not (beside and b" " in raw):
        return raw
    return b'"%s"' % _NEEDS_QUOTES.sub(lambda sign: b"\\%03o" % ord(sign[0]), raw)


def content(root: Files, path: str) -> bytes | None:
    """The content of a file; None where there is none. OgError where that cannot be told."""
    try:
        return root.read_bytes(path)
    except FileNotFoundError:
        return None


def changed(root: Files, path: str, change: Callable[[str], str], *, mode: int = 0o644) -> Edit:
    """The edit that makes of a text another; a file that is not there is an empty text.

    OgError where what is there cannot be read.
    """
    old = content(root, path)
    new = bytes_of(change(words_of(old or b"")))
    return Edit(path, old, None if old is None and not new else new, mode)


def words_of(raw: bytes) -> str:
    """The text of a foreign file; what is no UTF-8 comes back in ``bytes_of`` as it was."""
    return raw.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """What ``words_of`` read, changed or not."""
    return text.encode("utf-8", "surrogateescape")


def shown(raw: bytes) -> str:
    """Foreign bytes for a person: what is no UTF-8 is escaped."""
    return raw.decode("utf-8", "backslashreplace")


def _head(there: bytes | None, side: str, path: str) -> bytes:
    """The name in a head line; a tab ends it where a blank in it could."""
    if there is None:
        return _NO_FILE
    return name_in_diff(f"{side}/{path}") + (b"\t" if " " in path else b"")


def _lines(raw: bytes) -> list[bytes]:
    """Ended by a newline alone: a carriage return is a byte of the line like any other."""
    *whole, last = raw.split(b"\n")
    return [line + b"\n" for line in whole] + ([last] if last else [])


def _as_one_hunk(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    """All from the first changed line to the last, without looking for what stayed between."""
    least = min(len(old), len(new))
    head = next((n for n in range(least) if old[n] != new[n]), least)
    tail = next((n for n in range(least - head) if old[-1 - n] != new[-1 - n]), least - head)
    begin, end = max(0, head - _CONTEXT), min(tail, _CONTEXT)
    before, after = old[begin:head], old[len(old) - tail : len(old) - tail + end]
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    sizes = [len(before) + len(lines) + len(after) for lines in (gone, come)]
    at = [begin + 1 if size else begin for size in sizes]
    yield b"@@ -%d,%d +%d,%d @@\n" % (at[0], sizes[0], at[1], sizes[1])
    for sign, lines in ((b" ", before), (b"-", gone), (b"+", come), (b" ", after)):
        yield from (sign + line for line in lines)
