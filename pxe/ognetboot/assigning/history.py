# SPDX-License-Identifier: GPL-3.0-or-later
"""`NAME.history`: a line for each thing that somebody gave to PCs: when, who, what.

The file and one older one, each of at most `_MOST_BYTES`; the oldest lines go.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from ognetboot.assigning import times
from ognetboot.keeping import give_away, refused

_MOST_BYTES = 1 << 20
_LONGEST_LINE = 500


def add(path: Path, lines: Iterable[str], by: str, now: datetime) -> None:
    """Write the lines at the end of the file; the caller holds the inventory's lock."""
    text = "".join(f"{_line(f'{times.to_text(now)} {by} {line}')}\n" for line in lines)
    if not text:
        return
    try:
        if path.exists() and path.stat().st_size + len(text.encode()) > _MOST_BYTES:
            path.rename(path.with_name(f"{path.name}.1"))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o644), "wb") as stream:
            stream.write(text.encode())
        give_away(path, path.parent)
    except OSError as error:
        raise refused(path, "written", error) from None


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
