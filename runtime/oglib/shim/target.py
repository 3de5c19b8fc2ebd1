# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks and partitions as the old commands name them: by number."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from oglib.disk.find import find_disk, find_partition
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import OgErr, OgError, printable
from oglib.shim.command import positive


def disk_of(number: str) -> Disk:
    """Disk ``number``; OG_ERR_FORMAT when that is no number, OG_ERR_NOTFOUND when none has it."""
    return find_disk(str(positive(number, "The disk")))


def partition_of(disk_number: str, number: str) -> tuple[Disk, Partition]:
    """A partition with its disk; the same errors."""
    disk = disk_of(disk_number)
    return disk, find_partition(disk, positive(number, "The partition"))


@contextmanager
def device_of(disk_number: str, number: str) -> Iterator[Path]:
    """The block device of a partition, made for the ``with`` block where the disk is a file."""
    with partition_device(*partition_of(disk_number, number)) as device:
        yield device


def warn(*texts: str) -> None:
    """Tell what does not make the command fail, a line each."""
    for text in texts:
        print(f"warning: {printable(text)}", file=sys.stderr)


def yes_or_no(question: Callable[[Sequence[str]], bool]) -> Callable[[Sequence[str]], bool]:
    """A question whose exit code is 0 or 1 and nothing else: what cannot be asked is a 1 too."""

    def answer(words: Sequence[str]) -> bool:
        try:
            return question(words)
        except OgError as error:
            raise OgError(error.message, hint=error.hint, code=OgErr.FORMAT) from error

    return answer
