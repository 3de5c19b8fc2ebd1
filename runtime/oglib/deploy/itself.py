# SPDX-License-Identifier: GPL-3.0-or-later
"""An image is never written over itself, and no disk is captured into the file that it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oglib.errors import UsageError
from oglib.kernel.loops import storage_of, stretch_of


def refuse_itself(files: Sequence[Path], target: Path) -> None:
    """Raise where one of the ``files`` of an image is what ``target`` shows or lies on."""
    base = stretch_of(target)
    if base is None or base.storage[0] != "file":
        return
    for file in files:
        if storage_of(file) == base.storage:
            raise UsageError(
                f"{file} is the image, and the target lies in it.",
                hint="Name another target: an image is not written over itself, nor compared.",
            )


def refuse_into_itself(disk: Path, files: Sequence[Path]) -> None:
    """Raise where one of ``files``, which a capture of ``disk`` writes, is the disk itself."""
    base = stretch_of(disk)
    for file in files:
        if base is not None and storage_of(file) == base.storage:
            raise UsageError(
                f"{file} is the disk that is captured.",
                hint="Give the image another name, or another folder.",
            )
