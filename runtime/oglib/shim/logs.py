# SPDX-License-Identifier: GPL-3.0-or-later
"""The three logs of OpenGnsys' scripts, and which shell functions are writing to them.

What a process cannot know, the names of the functions that called it, comes in OG_CALLERS
(innermost first), set by the small functions of ``etc/preinit/loadenviron.sh``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

LEVELS = ("help", "info", "warning", "error")
# Each log: the variable that says where it is, and where it is without that.
_LOGS = {
    "log": ("OGLOGFILE", "/opt/opengnsys/log/oglive.log"),
    "command": ("OGLOGCOMMAND", "/tmp/command.log"),  # noqa: S108  OpenGnsys' own places
    "session": ("OGLOGSESSION", "/tmp/session.log"),  # noqa: S108
}
_MUTED = (
    "ogCreateImageSyntax ogGetHivePath ogGetOsType ogRestoreImageSyntax ogUnmountAll ogUnmountCache"
)


def leading_logs(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The logs that the first words name, each once, and the words after them."""
    count = 0
    while count < len(words) and words[count].lower() in _LOGS:
        count += 1
    return list(dict.fromkeys(word.lower() for word in words[:count])), list(words[count:])


@contextmanager
def opened(logs: Sequence[str], *, empty_first: Collection[str] = ()) -> Iterator[list[BinaryIO]]:
    """The logs open for adding; one that cannot be opened is said and left out, never raised."""
    with ExitStack() as stack:
        files: list[BinaryIO] = []
        for log in logs:
            variable, usual = _LOGS[log]
            path = Path(os.environ.get(variable) or usual)
            try:
                file = path.open("wb" if log in empty_first else "ab", buffering=0)
            except OSError as error:
                print(f"{path} cannot be written: {error.strerror}.", file=sys.stderr)
                continue
            files.append(stack.enter_context(file))
        yield files


def tell(logs: Sequence[str], level: str, text: str) -> None:
    """Print a message and add it to ``logs``, as ogEcho.

    One with a level is in the PC's own log too, unless the script says ``DEBUG=no``.
    """
    line = message(level, text)
    print(line)
    quiet = not _is_marked(level) or os.environ.get("DEBUG", "").lower() == "no"
    add_to_logs(logs if quiet or "log" in logs else ["log", *logs], line)


def _is_marked(level: str) -> bool:
    return level not in ("", "help")


def add_to_logs(logs: Sequence[str], line: str) -> None:
    """Add one line to each log."""
    with opened(logs) as files:
        for file in files:
            file.write(f"{line}\n".encode(errors="surrogateescape"))


def message(level: str, text: str) -> str:
    """A line as it is shown and logged: with time and level where it has one to be marked."""
    if not _is_marked(level):
        return text
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {level}: {text}"


def callers() -> list[str]:
    """The shell functions that called this command, innermost first."""
    names = os.environ.get("OG_CALLERS", "").split()
    return [name for name in names if name not in ("main", "source")]


def is_muted() -> bool:
    """Whether one of them is listed in NODEBUGFUNCTIONS."""
    muted = os.environ.get("NODEBUGFUNCTIONS", _MUTED).split()
    return any(name in muted for name in callers())
