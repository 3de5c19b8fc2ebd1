# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that write whole partition tables. Old names never ask."""

from __future__ import annotations

import stat
from collections.abc import Sequence

from oglib.disk.model import Disk, TableKind
from oglib.disk.planning.edit import emptied, with_table
from oglib.disk.planning.old_layouts import layout_from_old
from oglib.disk.planning.plan import plan_layout
from oglib.disk.planning.planned import TablePlan
from oglib.disk.probe import list_disks
from oglib.disk.tables.gpt import SLOTS
from oglib.errors import OgErr, PartitionError, UsageError
from oglib.run import run
from oglib.shim.command import FREE, Command
from oglib.shim.disk_change import change_table, only_the_cache
from oglib.shim.disk_types import table_named
from oglib.shim.target import disk_of, warn

_PARTITIONED = (TableKind.GPT, TableKind.MSDOS)
_MOST_WORDS = 1 + SLOTS  # a disk and its partitions


def _create(words: Sequence[str]) -> None:
    disk = disk_of(words[0])
    change_table(disk, _planned(disk, words[1:], None), only_the_cache)


def _create_gpt(words: Sequence[str]) -> None:
    disk = disk_of(words[0])
    change_table(disk, _planned(disk, words[1:], TableKind.GPT), only_the_cache)


def _planned(disk: Disk, rows: Sequence[str], table: TableKind | None) -> TablePlan:
    layout = layout_from_old(rows, disk, table)
    try:
        return plan_layout(layout, disk)
    except PartitionError as error:
        if disk.damage:
            raise
        # the old engine's number for sizes that do not fit
        raise PartitionError(error.message, hint=error.hint, code=OgErr.FORMAT) from error


def _create_table(words: Sequence[str]) -> None:
    disk = disk_of(words[0])
    _refuse_volumes(disk)
    table = disk.table if disk.table in _PARTITIONED else TableKind.MSDOS
    if len(words) == 2:
        table = table_named(words[1])
        if table not in _PARTITIONED:
            raise UsageError(f"{words[1]} is not MSDOS or GPT.")
    change_table(disk, with_table(disk, table), only_the_cache)


def _delete_table(words: Sequence[str]) -> None:
    disk = disk_of(words[0])
    _refuse_volumes(disk)
    if disk.table is TableKind.NONE and not disk.damage:
        return  # and none is made
    change_table(disk, emptied(disk), only_the_cache)


def _refuse_volumes(disk: Disk) -> None:
    if disk.table in (TableKind.LVM, TableKind.ZPOOL):
        raise PartitionError(f"{disk.describe()} is made of volumes: it has no partition table.")


def _update(_words: Sequence[str]) -> None:
    for disk in list_disks():
        if disk.table in _PARTITIONED and stat.S_ISBLK(disk.path.stat().st_mode):
            said = run("partprobe", disk.path, accept=(0, 1))
            if said.status:
                warn(f"the kernel does not see all of {disk.path} as it is: {said.stderr.strip()}")


_LAYOUT = "DISK TYPE:KB [TYPE:KB …]"
_BETTER = (
    "Everything is checked before anything is written; partitions that are already as asked stay "
    "as they are; 1 MiB alignment on every disk, 4096-byte sectors too. The cache stays in its "
    "place and is mounted again. A disk without a table gets one; a partition without a size is "
    "refused (FORMAT)."
)

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCreatePartitions",
            _LAYOUT,
            "makes the partitions of a disk, in the order of their numbers; the cache stays",
            _create,
            2,
            _MOST_WORDS,
            "ogCreatePartitions 1 NTFS:10000000 EXTENDED:20000000 EMPTY:0 EMPTY:0 LINUX:19000000",
            better=_BETTER,
        ),
        Command(
            "ogCreateGptPartitions",
            _LAYOUT,
            "makes the partitions of a disk in a gpt; the cache stays",
            _create_gpt,
            2,
            _MOST_WORDS,
            "ogCreateGptPartitions 1 EFI:512000 WINDOWS:20000000 LINUX:19000000",
            better=_BETTER,
        ),
        Command(
            "ogCreatePartitionTable",
            "DISK [MSDOS|GPT]",
            "makes an empty partition table unless there is a sound one of that kind",
            _create_table,
            1,
            2,
            "ogCreatePartitionTable 1 GPT",
            better="Without a kind a disk without a table gets an msdos one; a kind that is none "
            "is an error (FORMAT).",
        ),
        Command(
            "ogDeletePartitionTable",
            "DISK",
            "makes the partition table of a disk empty, of the same kind",
            _delete_table,
            1,
            1,
            "ogDeletePartitionTable 1",
        ),
        Command(
            "ogUpdatePartitionTable",
            "",
            "has the kernel look at the partition tables of all disks again",
            _update,
            at_most=FREE,
            example="ogUpdatePartitionTable",
            better="Words after it mean nothing, as before: it is always about all disks.",
        ),
    )
}
