# SPDX-License-Identifier: GPL-3.0-or-later
"""A sparse file of a disk's size, on which partitioning tools may write as they like.

They rewrite a table several times and in an order of their own; a power cut between would
leave none. So they work here, and only the finished sectors go to the disk (``sectors``).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.disk import gpt, mbr
from oglib.disk.loop import attached
from oglib.disk.model import MIB, TableKind
from oglib.disk.planned import TablePlan

_FILE_SECTOR_BYTES = 512  # what the tools take a file's sectors for


@contextmanager
def draft_of(device_fd: int, plan: TablePlan, good: gpt.Copy | None) -> Iterator[Path]:
    """The draft as a path for the tools: blank for a new table, otherwise with the present one.

    ``good`` is the copy of a GPT to begin from where the other one is not whole.
    """
    with tempfile.TemporaryDirectory(prefix="oglive-table-") as folder:
        path = Path(folder) / "draft"
        with path.open("wb") as draft:
            draft.truncate(plan.disk_size_bytes)
            if not plan.new_table:
                _copy_table(device_fd, draft.fileno(), plan, good)
        if plan.sector_bytes == _FILE_SECTOR_BYTES:
            yield path
        else:
            with attached(path, sector_bytes=plan.sector_bytes) as device:
                yield device


def _copy_table(device_fd: int, draft_fd: int, plan: TablePlan, good: gpt.Copy | None) -> None:
    tail = max(plan.disk_size_bytes - MIB, 0)
    for offset in (0, tail):
        os.pwrite(draft_fd, os.pread(device_fd, MIB, offset), offset)
    first = os.pread(device_fd, plan.sector_bytes, 0)
    if good is not None and plan.table is TableKind.GPT:
        sectors = plan.disk_size_bytes // plan.sector_bytes
        front, end = gpt.build(good, sectors, plan.sector_bytes)
        os.pwrite(draft_fd, front, plan.sector_bytes)
        os.pwrite(draft_fd, end, sectors * plan.sector_bytes - len(end))
        first = mbr.protective(first, sectors)
    os.pwrite(draft_fd, mbr.unmarked(first), 0)
