# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that lock disks and partitions, for the script that calls them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from oglib.disk.lock import drop_lock, is_locked, take_lock
from oglib.disk.model import Disk, Partition
from oglib.shim.command import Command
from oglib.shim.target import disk_of, partition_of, yes_or_no

_BETTER = (
    "The lock belongs to the calling script and ends with it, so none stays behind; "
    "what another script has locked is refused (LOCKED)."
)


def _target(words: Sequence[str]) -> tuple[Disk, Partition | None]:
    return (disk_of(words[0]), None) if len(words) == 1 else partition_of(words[0], words[1])


def _lock(words: Sequence[str]) -> None:
    disk, part = _target(words)
    take_lock(disk, part, pid=os.getppid())


def _unlock(words: Sequence[str]) -> None:
    drop_lock(*_target(words))


@yes_or_no
def _is_locked(words: Sequence[str]) -> bool:
    return is_locked(*_target(words))


def _commands() -> Iterator[Command]:
    """The same three for disks and, under two names each, for partitions."""
    for names, what, usage, count in (
        (("ogLockDisk", "ogUnlockDisk", "ogIsDiskLocked"), "disk", "DISK", 1),
        (("ogLock", "ogUnlock", "ogIsLocked"), "partition", "DISK PARTITION", 2),
        (
            ("ogLockPartition", "ogUnlockPartition", "ogIsPartitionLocked"),
            "partition",
            "DISK PARTITION",
            2,
        ),
    ):
        lock, unlock, asked = names
        numbers = " ".join("1" * count)
        yield Command(
            lock,
            usage,
            f"locks a {what} for the calling script",
            _lock,
            count,
            count,
            f"{lock} {numbers}",
            _BETTER,
        )
        yield Command(
            unlock, usage, f"unlocks a {what}", _unlock, count, count, f"{unlock} {numbers}"
        )
        yield Command(
            asked,
            usage,
            f"says by its exit code whether a {what} is locked (0) or not (1)",
            _is_locked,
            count,
            count,
            f"{asked} {numbers}",
            "A lock whose script has ended does not count.",
        )


COMMANDS = {command.name: command for command in _commands()}
