# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that change one entry of a partition table: its type, size or boot flag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oglib.disk import types
from oglib.disk.find import find_partition
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.model import Disk, Partition
from oglib.disk.planning.edit import with_active, with_size, with_type
from oglib.disk.type_codes import CACHE_CODE, canonical, code_of, raw_of_code
from oglib.errors import PartitionError
from oglib.shim.command import Command, positive
from oglib.shim.disk_change import change_table, everything
from oglib.shim.target import partition_of, warn

_KB = 1024
_SHOWN = {hidden: shown for shown, hidden in types.HIDDEN.items()}


def _set_active(words: Sequence[str]) -> None:
    disk, part = partition_of(*words)
    if running_firmware() is Firmware.UEFI:
        warn("this PC starts by UEFI, which knows no active partition: nothing is changed")
        return
    change_table(disk, with_active(disk, part.number), everything)


def _set_id(words: Sequence[str]) -> None:
    disk, part = partition_of(*words[:2])
    raw = raw_of_code(words[2], disk.table)
    wanted = types.CACHE if words[2].upper() == CACHE_CODE else raw
    _typed(disk, part, wanted, words[2])


def _set_type(words: Sequence[str]) -> None:
    disk, part = partition_of(*words[:2])
    wanted = canonical(words[2], disk.table)
    _typed(disk, part, wanted, wanted)


def _hide(words: Sequence[str]) -> None:
    _swap(words, types.HIDDEN, "hidden")


def _unhide(words: Sequence[str]) -> None:
    _swap(words, _SHOWN, "shown again")


def _swap(words: Sequence[str], pairs: Mapping[str, str], done: str) -> None:
    disk, part = partition_of(*words)
    if part.type not in pairs:
        raise PartitionError(
            f"Partition {part.number} of {disk.describe()} is {part.type} and cannot be {done}.",
            hint=f"Only these can: {' '.join(pairs)}.",
        )
    _typed(disk, part, pairs[part.type], pairs[part.type])


def _typed(disk: Disk, part: Partition, wanted: str, asked: str) -> None:
    plan = with_type(disk, part.number, wanted)
    after = change_table(disk, plan, everything)
    now = find_partition(after, part.number)
    if wanted not in (now.type, now.type_id):
        raise PartitionError(
            f"Partition {part.number} of {disk.describe()} shall be {asked}, "
            f"but its type is {code_of(now, after.table)} ({now.type})."
        )


def _set_size(words: Sequence[str]) -> None:
    disk, part = partition_of(*words[:2])
    size_bytes = positive(words[2], "The size in KB") * _KB
    change_table(disk, with_size(disk, part.number, size_bytes), everything)


_IN_USE = "What is mounted of the disk is mounted again afterwards."

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogSetPartitionActive",
            "DISK PARTITION",
            "makes a partition the active one; on UEFI it only warns",
            _set_active,
            2,
            2,
            "ogSetPartitionActive 1 1",
            better="On gpt it is refused (NOMSDOS): parted would have made it an ESP. So is a "
            "logical partition (PARTITION), which no BIOS starts.",
        ),
        Command(
            "ogSetPartitionId",
            "DISK PARTITION ID",
            "sets the type of a partition by its code",
            _set_id,
            3,
            3,
            "ogSetPartitionId 1 1 7",
            better="CA00 makes a gpt partition the cache. 0, and codes of the other kind of table, "
            f"are refused. {_IN_USE}",
        ),
        Command(
            "ogSetPartitionType",
            "DISK PARTITION TYPE",
            "sets the type of a partition by its name",
            _set_type,
            3,
            3,
            "ogSetPartitionType 1 1 NTFS",
            better=_IN_USE,
        ),
        Command(
            "ogSetPartitionSize",
            "DISK PARTITION KB",
            "sets the size of a partition in KB (1024 bytes); its filesystem stays as it is",
            _set_size,
            3,
            3,
            "ogSetPartitionSize 1 1 20000000",
            better=f"What lies behind the partition is never overlapped. {_IN_USE}",
        ),
        Command(
            "ogHidePartition",
            "DISK PARTITION",
            "hides a partition from Windows by its type",
            _hide,
            2,
            2,
            "ogHidePartition 1 1",
            better=_IN_USE,
        ),
        Command(
            "ogUnhidePartition",
            "DISK PARTITION",
            "shows a hidden partition to Windows again",
            _unhide,
            2,
            2,
            "ogUnhidePartition 1 1",
            better=_IN_USE,
        ),
    )
}
