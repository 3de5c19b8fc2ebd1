# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks and partitions as the old commands name them: by number."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from oglib.disk.model import Disk, Partition
from oglib.disk.probing.plain import table_of_file, tables_of_files
from oglib.errors import OgErr, OgError, printable
from oglib.shim.command import positive


def disk_of(number: str) -> Disk:
    """Disk ``number``; OG_ERR_FORMAT when that is no number, OG_ERR_NOTFOUND when none has it."""
    # most of these commands ask for a table alone, and are started in loops
    from oglib.disk.find import find_disk  # noqa: PLC0415

    return find_disk(str(positive(number, "The disk")))


def table_of(number: str) -> Disk:
    """Disk ``number`` for who asks for its table: what is on its partitions is not looked for."""
    wanted = positive(number, "The disk")
    if (disk := table_of_file(wanted)) is not None:
        return disk
    from oglib.disk import probe  # noqa: PLC0415

    return probe.table_of(wanted) or disk_of(number)


def tables() -> tuple[Disk, ...]:
    """Every disk of this PC in that way."""
    if files := tables_of_files():
        return files
    from oglib.disk.probe import list_tables  # noqa: PLC0415

    return list_tables()


def entry_of(disk_number: str, number: str) -> tuple[Disk, Partition]:
    """A partition as its table has it, with the disk; the errors of ``partition_of``."""
    return _with_partition(table_of(disk_number), number)


def partition_of(disk_number: str, number: str) -> tuple[Disk, Partition]:
    """A partition with its disk; the same errors."""
    return _with_partition(disk_of(disk_number), number)


def _with_partition(disk: Disk, number: str) -> tuple[Disk, Partition]:
    wanted = positive(number, "The partition")
    for part in disk.partitions:
        if part.number == wanted:
            return disk, part
    from oglib.disk.find import find_partition  # noqa: PLC0415  it says which there are

    return disk, find_partition(disk, wanted)


@contextmanager
def device_of(disk_number: str, number: str) -> Iterator[Path]:
    """The block device of a partition, made for the ``with`` block where the disk is a file."""
    from oglib.disk.loop import partition_device  # noqa: PLC0415

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
