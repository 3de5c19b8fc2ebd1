# SPDX-License-Identifier: GPL-3.0-or-later
"""Other processes as /proc shows them: who called a script, and who uses a folder."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_INTERPRETERS = ("bash", "sh", "dash", "busybox", "python3", "python", "php", "perl")


def _words(pid: int) -> list[str]:
    raw = (_PROC / str(pid) / "cmdline").read_bytes()
    return [word.decode(errors="replace") for word in raw.split(b"\0")[:-1]]


def _parent(pid: int) -> int:
    # the name in brackets may hold anything: the fields are counted behind it
    return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


def parent_of_script(pid: int) -> int:
    """The parent of the script that process ``pid`` belongs to.

    A subshell is a copy of its script with the same command line: such copies are skipped.
    """
    own = _words(pid)
    parent = _parent(pid)
    while parent > 1 and _words(parent) == own:
        parent = _parent(parent)
    return parent


def caller_of(pid: int) -> str:
    """The name of a process: of the script that an interpreter runs, else of the program."""
    words = _words(pid) if pid > 0 else []
    if not words:
        return ""
    program = Path(words[0].removeprefix("-")).name
    if program in _INTERPRETERS and len(words) > 1 and not words[1].startswith("-"):
        return Path(words[1]).name
    return program


def is_called_by(name: str) -> bool:
    """Whether a script or program of this name is among those that led to this process."""
    pid = _parent(os.getpid())
    while pid > 1:
        if caller_of(pid) == name:
            return True
        pid = _parent(pid)
    return False


def is_open_below(folder: Path) -> bool:
    """Whether any process has a file or folder below ``folder`` open."""
    top = f"{folder.resolve()}/"
    for descriptor in _PROC.glob("[0-9]*/fd/*"):
        try:
            target = str(descriptor.readlink())
        except OSError:  # closed, or ended, meanwhile
            continue
        if target.startswith(top):
            return True
    return False
