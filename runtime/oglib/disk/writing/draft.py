# SPDX-License-Identifier: GPL-3.0-or-later
"""A sparse file of a disk's size, on which partitioning tools may write and judge as they like.

They rewrite a table several times and in an order of their own; a power cut between would
leave none. So they work here, and only the finished sectors go to the disk (``sectors``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from oglib.disk.loop import attached
from oglib.disk.model import Partition, TableKind
from oglib.disk.planning.planned import TablePlan
from oglib.errors import PartitionError

_FILE_SECTOR_BYTES = 512  # what the tools take a file's sectors for


@contextmanager
def draft_of(plan: TablePlan, contents: Iterable[tuple[int, bytes]]) -> Iterator[Path]:
    """The draft as a path for the tools, with ``contents`` (byte of the disk, bytes) on it."""
    with tempfile.TemporaryDirectory(prefix="oglive-table-") as folder:
        path = Path(folder) / "draft"
        with path.open("wb") as draft:
            draft.truncate(plan.disk_size_bytes)
            for offset, raw in contents:
                draft.seek(offset)
                draft.write(raw)
        if plan.sector_bytes == _FILE_SECTOR_BYTES:
            yield path
        else:
            with attached(path, sector_bytes=plan.sector_bytes) as device:
                yield device


def compare(plan: TablePlan, path: Path, read: tuple[TableKind, Sequence[Partition]]) -> None:
    """What sfdisk ``read`` must be what was planned. Names are not asked for: it has its own."""
    table, written = read
    sector = plan.sector_bytes
    found = [
        (part.number, part.start_bytes // sector, part.size_bytes // sector, part.type_id)
        for part in written
    ]
    asked = [
        (part.number, part.start_sector, part.size_sectors, part.type_id)
        for part in plan.partitions
    ]
    if table is not plan.table or found != asked:
        raise PartitionError(
            f"The table of {plan.path} is not as it was planned: sfdisk reads it on {path} as "
            f"{found}, not as {asked}."
        )
