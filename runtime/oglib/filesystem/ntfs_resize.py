# SPDX-License-Identifier: GPL-3.0-or-later
"""Resizes NTFS with ntfsresize: what may go wrong is tried without writing first.

The smallest size it names is an estimate, too small where files have to move. So a few larger
ones are tried, a fixed number of them: small volumes made the old tools look for one for ever.
"""

from __future__ import annotations

import re
from pathlib import Path

from oglib.errors import FilesystemError, ProcessError
from oglib.filesystem.kind import Trouble
from oglib.filesystem.sizes import size_of
from oglib.filesystem.state import State, state_of
from oglib.run import Finished, run
from oglib.wording.amounts import human_bytes

QUIET = ("--no-progress-bar", "--force", "--force")  # twice: also one that is flagged dirty
_STEP = 1024 * 1024
_MARGINS = (0.0, 0.02, 0.1, 0.25)  # above the estimate, tried in this order


def minimum(device: Path) -> int:
    """The smallest size in bytes that ntfsresize thinks possible."""
    _refuse_unsafe(device)
    said = run("ntfsresize", "--info", *QUIET, device, accept=(0, 1))
    named = re.search(r"You might resize at (\d+) bytes", said.stdout)
    if named:
        return int(named[1])
    if "Volume is full" in said.stdout + said.stderr:
        return size_of(device)
    raise ProcessError(said.argv, said.status, said.stderr or said.stdout)


def shrink(device: Path, size_bytes: int | None) -> None:
    """To ``size_bytes``, or near the minimum; nothing happens where nothing would be gained."""
    _refuse_unsafe(device, also=Trouble.DIRTY)
    now = size_of(device)
    least = minimum(device)
    if size_bytes is not None:
        if size_bytes < least:
            raise FilesystemError(
                f"{device} cannot be shrunk to {human_bytes(size_bytes)}: "
                f"its files need {human_bytes(least)}."
            )
        wanted = [size_bytes]
    else:
        wanted = [_rounded(int(least * (1 + margin))) for margin in _MARGINS]
    last: Finished | None = None
    for size in wanted:
        if size >= now:
            return  # it is as small as it gets
        last = run("ntfsresize", "--no-action", *_size(size), device, accept=range(256))
        if last.status == 0:
            resize(device, size)
            return
    if last is not None:
        raise ProcessError(last.argv, last.status, last.stderr or last.stdout)


def resize(device: Path, size_bytes: int | None = None) -> None:
    """To ``size_bytes``, or to fill the device.

    ntfsresize flags the volume for a check by Windows. It made its own before, so the flag is
    taken back where the volume had none.
    """
    _refuse_unsafe(device)
    clean = not state_of(device)
    how = QUIET if size_bytes is None else _size(size_bytes)
    run("ntfsresize", *how, device, stdin="y\n")
    if clean:
        run("ntfsfix", "--clear-dirty", device)


def _size(size_bytes: int) -> tuple[str, ...]:
    return ("--size", str(size_bytes), *QUIET)


def _rounded(size_bytes: int) -> int:
    return -(-size_bytes // _STEP) * _STEP


def _refuse_unsafe(device: Path, also: Trouble | None = None) -> None:
    for state in state_of(device):
        if state.trouble in (Trouble.HIBERNATED, Trouble.UNFINISHED, also):
            raise _refusal(device, state)


def _refusal(device: Path, state: State) -> FilesystemError:
    return FilesystemError(f"{device} is not resized: {state.text}.", hint=state.remedy)
