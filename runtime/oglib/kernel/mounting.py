# SPDX-License-Identifier: GPL-3.0-or-later
"""mount(2) and umount2(2): what the kernel mounts by itself, without a program's start.

A program is needed where a kind has one of its own (``mount.ntfs-3g``); all others cost more by
their start than the kernel takes to mount.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
# options that are flags of the call (mount(2)); all others are the filesystem's own
_FLAGS = {"ro": 1, "rw": 0, "nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024}
_NOFOLLOW = 8  # UMOUNT_NOFOLLOW


def mount(device: Path, point: Path, kind: str, options: Iterable[str]) -> None:
    """Mount; options as mount(8) takes them. OSError with the kernel's own number."""
    flags, data = 0, []
    for option in options:
        if option in _FLAGS:
            flags |= _FLAGS[option]
        else:
            data.append(option)
    words = [os.fsencode(word) for word in (device, point, kind, ",".join(data))]
    _raise_for(
        _LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3] or None), device
    )


def unmount(point: Path) -> None:
    """Unmount what is at this folder. OSError with the kernel's own number."""
    _raise_for(_LIBC.umount2(os.fsencode(point), _NOFOLLOW), point)


def _raise_for(answer: int, path: Path) -> None:
    if answer:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
