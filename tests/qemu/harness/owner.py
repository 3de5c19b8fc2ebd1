# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that carry their owner: what a dead harness process left behind is recognised by them.

A name holds the process number and its start time, so a number used again misleads nobody.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

_NAME = re.compile(r"ogtest-(\d+)-(\d+)(?:-[a-z]+)?")
_START_TIME_FIELD = 19  # of /proc/PID/stat after the command's closing bracket
_WORK = Path("/var/tmp")


def _start_time(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[_START_TIME_FIELD])


def own_name(part: str = "") -> str:
    """The name of what belongs to this process; ``part`` (small letters) tells several apart."""
    name = f"ogtest-{os.getpid()}-{_start_time(os.getpid())}"
    return f"{name}-{part}" if part else name


def is_stale(name: str) -> bool:
    """True when the name is one of ours and its process is gone."""
    match = _NAME.fullmatch(name)
    return match is not None and _start_time(int(match[1])) != int(match[2])


def make_work_dir() -> Path:
    """A folder for disks and the repository, on disk and not in RAM; stale ones are removed."""
    for path in _WORK.glob("ogtest-*"):
        if is_stale(path.name):
            shutil.rmtree(path)
    path = _WORK / own_name()
    path.mkdir(mode=0o755, exist_ok=True)
    path.chmod(0o755)  # whatever the umask: the TFTP server drops its rights
    return path
