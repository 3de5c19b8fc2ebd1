# SPDX-License-Identifier: GPL-3.0-or-later
"""A partition as a block device, whether the kernel shows it or not.

Partitions of a real disk have a node; those of a plain file or of a loop device without
partition scanning get a loop device over their stretch, for the length of a ``with`` block.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.disk import types
from oglib.disk.model import Disk, Partition
from oglib.run import run, undisturbed

_START_BYTES = 1024


@contextmanager
def partition_device(disk: Disk, part: Partition) -> Iterator[Path]:
    """The block device of ``part``; detached again afterwards where it had to be made.

    Of an extended partition it is the start alone, as the kernel shows it: nothing fits on it, so
    that the logical ones inside are never written over.
    """
    if part.path is not None:
        yield part.path
        return
    whole = part.type != types.EXTENDED
    sector = disk.logical_sector_bytes
    with attached(
        disk.path,
        offset_bytes=part.start_bytes,
        size_bytes=part.size_bytes if whole else max(sector, _START_BYTES),
        sector_bytes=sector,
    ) as device:
        yield device


@contextmanager
def attached(
    path: Path, *, offset_bytes: int = 0, size_bytes: int = 0, sector_bytes: int = 512
) -> Iterator[Path]:
    """A loop device over ``path`` or, with a size, over a stretch of it."""
    device = ""
    try:
        with undisturbed():
            device = run(
                "losetup",
                "--find",
                "--show",
                f"--offset={offset_bytes}",
                *((f"--sizelimit={size_bytes}",) if size_bytes else ()),
                f"--sector-size={sector_bytes}",
                path,
            ).stdout.strip()
        yield Path(device)
    finally:
        if device:
            with undisturbed():
                run("losetup", "--detach", device)
