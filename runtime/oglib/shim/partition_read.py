# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that read the partitions of a disk; none of them writes.

Sizes are KB of 1024 bytes; types are OpenGnsys' codes and names (``oglib.disk.type_codes``).
"""

from __future__ import annotations

from collections.abc import Sequence

from oglib.disk.model import PRIMARY_SLOTS, Disk, Partition, TableKind
from oglib.disk.type_codes import code_of, type_of_code
from oglib.errors import PartitionError
from oglib.shim.command import Command
from oglib.shim.target import entry_of, table_of

_KB = 1024
_EFI = "EFI"


def _active(words: Sequence[str]) -> str:
    disk = table_of(words[0])
    flagged = [part.number for part in disk.partitions if part.active]
    if not flagged and disk.table is TableKind.GPT:
        # parted, which the old engine asked, calls the ESP of a gpt its boot partition
        flagged = [part.number for part in disk.partitions if part.type == _EFI]
    return str(flagged[0]) if flagged else ""


def _partition_id(words: Sequence[str]) -> str:
    disk, part = entry_of(*words)
    return code_of(part, disk.table)


def _partition_size(words: Sequence[str]) -> str:
    return str(entry_of(*words)[1].size_bytes // _KB)


def _partitions_number(words: Sequence[str]) -> str:
    return str(_highest(table_of(words[0]).partitions))


def _partition_type(words: Sequence[str]) -> str:
    disk, part = entry_of(*words)
    return _type(disk, part)


def _list(words: Sequence[str]) -> str:
    disk = table_of(words[0])
    return _listed(disk, 1, _highest(disk.partitions))


def _list_primary(words: Sequence[str]) -> str:
    disk = table_of(words[0])
    if disk.table is not TableKind.MSDOS:
        return _listed(disk, 1, _highest(disk.partitions))
    return _listed(
        disk, 1, _highest([part for part in disk.partitions if part.number <= PRIMARY_SLOTS])
    )


def _list_logical(words: Sequence[str]) -> str:
    disk = table_of(words[0])
    if disk.table is not TableKind.MSDOS:
        raise PartitionError(
            f"{disk.describe()} has no msdos table, so it has no logical partitions.",
            hint="ogListPartitions lists the partitions of any disk.",
        )
    return _listed(disk, PRIMARY_SLOTS + 1, _highest(disk.partitions))


def _listed(disk: Disk, first: int, last: int) -> str:
    """``TYPE:KB`` of each number; one that is not used is EMPTY:0."""
    there = {part.number: part for part in disk.partitions}
    return " ".join(
        f"{_type(disk, there[number])}:{there[number].size_bytes // _KB}"
        if number in there
        else "EMPTY:0"
        for number in range(first, last + 1)
    )


def _type(disk: Disk, part: Partition) -> str:
    return type_of_code(code_of(part, disk.table), disk.table)


def _highest(partitions: Sequence[Partition]) -> int:
    return max((part.number for part in partitions), default=0)


_GPT_FLAG = "On gpt it is the ESP, which parted's flag meant too; one number, not a line for each."

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogGetPartitionActive",
            "DISK",
            "prints the number of the partition with the boot flag",
            _active,
            1,
            1,
            "ogGetPartitionActive 1 → 1",
            better=_GPT_FLAG,
        ),
        Command(
            "ogGetPartitionId",
            "DISK PARTITION",
            "prints the type of a partition as its code",
            _partition_id,
            2,
            2,
            "ogGetPartitionId 1 1 → 7",
        ),
        Command(
            "ogGetPartitionSize",
            "DISK PARTITION",
            "prints the size of a partition in KB (1024 bytes)",
            _partition_size,
            2,
            2,
            "ogGetPartitionSize 1 1 → 10000000",
        ),
        Command(
            "ogGetPartitionsNumber",
            "DISK",
            "prints the highest number of a partition, 0 when there is none",
            _partitions_number,
            1,
            1,
            "ogGetPartitionsNumber 1 → 3",
            better="0 for a disk without a table too; the old function printed nothing.",
        ),
        Command(
            "ogGetPartitionType",
            "DISK PARTITION",
            "prints the type of a partition by its name",
            _partition_type,
            2,
            2,
            "ogGetPartitionType 1 1 → NTFS",
            better="A gpt partition for LVM is LINUX-LVM; the old engine called it UNKNOWN.",
        ),
        Command(
            "ogListPartitions",
            "DISK",
            "prints type and KB of every partition, EMPTY:0 for numbers that are not used",
            _list,
            1,
            1,
            "ogListPartitions 1 → NTFS:10000000 EMPTY:0 LINUX:5000000",
        ),
        Command(
            "ogListPrimaryPartitions",
            "DISK",
            "prints type and KB of the primary partitions",
            _list_primary,
            1,
            1,
            "ogListPrimaryPartitions 1 → NTFS:10000000 EXTENDED:1000000",
        ),
        Command(
            "ogListLogicalPartitions",
            "DISK",
            "prints type and KB of the logical partitions of an msdos table",
            _list_logical,
            1,
            1,
            "ogListLogicalPartitions 1 → LINUX:5000000 LINUX-SWAP:1000000",
        ),
    )
}
