# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine on which files are renamed and filesystems mounted all the time, as on any PC at work.

Started as a program, this is one who renames or mounts in a folder until its parent is gone.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TURNS = 1000
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def restless(folder: Path, *, renaming: int = 2, mounting: int = 1) -> Iterator[None]:
    """That many processes rename and mount beside the block, in its own mount namespace."""
    started = []
    try:
        for number, what in enumerate(["rename"] * renaming + ["mount"] * mounting):
            own = folder / f"restless-{number}"
            own.mkdir()
            argv = [sys.executable, "-I", __file__, what, str(own)]
            one = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            started.append((one, own))
            assert one.stdout is not None
            assert one.stdout.readline() == b"at work\n"
        yield
        assert [one.poll() for one, _ in started] == [None] * len(started)
    finally:
        for one, own in started:
            one.kill()
            one.communicate()
            while own.is_mount():
                subprocess.run(["umount", own], check=True)


def _rename(folder: bytes) -> None:
    for name in (b"a", b"b"):
        os.mkdir(folder + b"/" + name)  # noqa: PTH102
    one, other = folder + b"/a/x", folder + b"/b/x"
    with open(one, "xb"):  # noqa: PTH123
        pass
    while True:
        for _ in range(_TURNS):
            os.rename(one, other)  # noqa: PTH104
            os.rename(other, one)  # noqa: PTH104
        _still_wanted()


def _mount(folder: bytes) -> None:
    while True:
        for _ in range(_TURNS):
            if _LIBC.mount(b"tmpfs", folder, b"tmpfs", 0, None) or _LIBC.umount2(folder, 0):
                raise OSError(ctypes.get_errno(), "mount")
        _still_wanted()


_PARENT = os.getppid()


def _still_wanted() -> None:
    if os.getppid() != _PARENT:
        raise SystemExit(0)


if __name__ == "__main__":
    print("at work", flush=True)
    {"rename": _rename, "mount": _mount}[sys.argv[1]](os.fsencode(sys.argv[2]))
