# SPDX-License-Identifier: GPL-3.0-or-later
"""`NAME.history`: a line for each thing that somebody gave to PCs: when, who, what.

The file and one older one, each of at most `_MOST_BYTES`; the oldest lines go.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ognetboot.assigning import times
from ognetboot.keeping import give_away, refused

_MOST_BYTES = 1 << 20
_LONGEST_LINE = 500


def add(path: Path, lines: Iterable[str], by: str, now: datetime) -> None:
    """Write the lines at the end of the file; the caller holds the inventory's lock."""
    with noting(path, lines, by, now):
        pass


@contextmanager
def noting(path: Path, lines: Iterable[str], by: str, now: datetime) -> Iterator[None]:
    """The lines are there before what they tell is done, and go again where that is refused."""
    text = "".join(f"{_line(f'{times.to_text(now)} {by} {line}')}\n" for line in lines)
    if not text:
        yield
        return
    try:
        if path.exists() and path.stat().st_size + len(text.encode()) > _MOST_BYTES:
            path.rename(path.with_name(f"{path.name}.1"))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o644), "wb") as stream:
            before = os.fstat(stream.fileno()).st_size
            # Who only reads them, as `show` does, is not kept out by a umask.
            os.fchmod(stream.fileno(), 0o644)
            stream.write(text.encode())
        give_away(path, path.parent)
    except OSError as error:
        raise refused(path, "written", error) from None
    try:
        yield
    except BaseException:
        os.truncate(path, before)
        raise


def _line(text: str) -> str:
    """One line whatever is in it."""
    return "".join(char if char.isprintable() else "?" for char in text)[:_LONGEST_LINE]


def who(environ: Mapping[str, str]) -> str:
    """Who gives the order: the person behind sudo, else the user of this process."""
    name = environ.get("SUDO_USER", "") if os.geteuid() == 0 else ""
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = f"uid-{os.getuid()}"
    return _line(name.replace(" ", "_"))[:64]
