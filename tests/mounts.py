# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of one test process's own: what it mounts nobody else sees, and the other way round."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

_CLONE_NEWNS = 0x00020000  # linux/sched.h; os.unshare came with Python 3.12
_EMPTY = ("/mnt", "/run/oglive", "/run/lock")


def own_mounts() -> None:
    """A mount namespace for this thread and all that it starts from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare: no mounts of our own")
    _mount("--make-rprivate", "/")
    for place in _EMPTY:
        Path(place).mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", place)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)
