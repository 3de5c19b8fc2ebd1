# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that make, check and resize filesystems.

Each unmounts the partition first (formatting refuses a mounted one) and holds its lock meanwhile;
one that is locked already is refused, by whomever it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError, OgErr, PartitionError, ProcessError, UsageError
from oglib.filesystem.check import check_filesystem
from oglib.filesystem.kind import Family, Kind, Shrink, Trouble
from oglib.filesystem.kinds import USUAL_FOR_TYPE, family_probed
from oglib.filesystem.make import format_filesystem
from oglib.filesystem.mount import unmount_device
from oglib.filesystem.probe import probe_filesystem, row_on
from oglib.filesystem.resize import grow_filesystem, shrink_filesystem
from oglib.filesystem.state import state_of
from oglib.run import run
from oglib.shim.command import Answer, Command, command_of
from oglib.shim.filesystem_read import size_in_kb
from oglib.shim.target import partition_of

_FIRST_OPTION = 2  # of ogFormatFs, after disk and partition
_WINDOWS_CHECKS = "Start Windows and let it check the disk (chkdsk)."


def _check(words: Sequence[str]) -> None:
    with _taken(words) as device:
        _row(device)
        try:
            check_filesystem(device)
        except FilesystemError as error:
            raise _as_partition(error) from error


def _extend(words: Sequence[str]) -> None:
    with _taken(words) as device:
        _sized_row(device)
        grow_filesystem(device)


def _reduce(words: Sequence[str]) -> str:
    with _taken(words) as device:
        if _sized_row(device).shrink is not Shrink.NEVER:
            shrink_filesystem(device)
    return str(size_in_kb(*words))


def _sized_row(device: Path) -> Kind:
    """The row of a filesystem; what holds no files is none to be resized (OG_ERR_PARTITION)."""
    row = _row(device)
    if row.holder:
        raise PartitionError(f"On {device} is {row.mnemonic}, no filesystem that has a size.")
    return row


def _unset_dirty(words: Sequence[str]) -> None:
    with _taken(words) as device:
        if family_probed(probe_filesystem(device).kind) is not Family.NTFS:
            return
        for state in state_of(device):
            if state.trouble is Trouble.HIBERNATED:
                raise PartitionError(f"{device} is not written: {state.text}.", hint=state.remedy)
        try:
            run("ntfsfix", "--clear-dirty", device)
        except ProcessError as error:
            raise PartitionError(error.message, hint=_WINDOWS_CHECKS) from error


def _format(words: Sequence[str]) -> Answer:
    if len(words) == 1:
        if words[0].upper() != "CACHE":
            raise UsageError(f"{words[0]!r} is neither CACHE nor a disk and a partition.")
        return command_of("ogFormatCache").run(())
    _format_fs(words)
    return None


def _format_fs(words: Sequence[str]) -> None:
    disk, part = partition_of(*words[:_FIRST_OPTION])
    kind, label = (*words[_FIRST_OPTION:], "", "")[:2]
    with held(disk, part, own_counts=True), partition_device(disk, part) as device:
        format_filesystem(device, kind or _kind_now(disk, part, device), label=label)


def _kind_now(disk: Disk, part: Partition, device: Path) -> str:
    """The kind that is there, or what usually is on a partition of this type."""
    kind = probe_filesystem(device).name or USUAL_FOR_TYPE.get(part.type, "")
    if not kind:
        raise UsageError(
            f"Partition {part.number} of {disk.describe()} has no filesystem, and its type "
            f"({part.type}) does not say which one it shall have.",
            hint="Name one: ogFormatFs DISK PARTITION EXT4.",
        )
    return kind


@contextmanager
def _taken(words: Sequence[str]) -> Iterator[Path]:
    """The partition unmounted and locked for this command."""
    disk, part = partition_of(*words)
    with held(disk, part, own_counts=True), partition_device(disk, part) as device:
        unmount_device(device)
        yield device


def _row(device: Path) -> Kind:
    try:
        return row_on(device)
    except FilesystemError as error:
        raise _as_partition(error) from error


def _as_partition(error: FilesystemError) -> FilesystemError:
    """The old number for a filesystem that is damaged, unknown or not there."""
    known = error.code if error.code is not OgErr.FILESYS else OgErr.PARTITION
    return FilesystemError(error.message, hint=error.hint, code=known)


_FORMAT_BETTER = (
    "Its errors are OG_ERR numbers (DONTFORMAT mounted, LOCKED, FORMAT the label, PARTITION the "
    "kind or its tool, NOTEXEC a missing tool); the old engine passed on the tool's own number. "
    "A partition without a filesystem gets the one usual for its type."
)

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCheckFs",
            "DISK PARTITION",
            "checks a filesystem and repairs what is safely repaired",
            _check,
            2,
            2,
            "ogCheckFs 1 1",
            better="A repair that succeeded (e2fsck 1 and 2) is success.",
        ),
        Command(
            "ogExtendFs",
            "DISK PARTITION",
            "lets a filesystem fill its partition; does nothing for kinds that cannot grow",
            _extend,
            2,
            2,
            "ogExtendFs 1 1",
            better="XFS, F2FS, JFS and NILFS2 grow too. A tool that fails is EXTENDFS.",
        ),
        Command(
            "ogReduceFs",
            "DISK PARTITION",
            "makes a filesystem as small as it can be and prints its new size in KB",
            _reduce,
            2,
            2,
            "ogReduceFs 1 1 → 4194304",
            better="It ends for every NTFS. A tool that fails is REDUCEFS.",
        ),
        Command(
            "ogFormat",
            "CACHE | DISK PARTITION [FILESYSTEM [LABEL]]",
            "makes a fresh filesystem on a partition or the cache",
            _format,
            1,
            4,
            "ogFormat 1 1 EXT4 data",
            better=_FORMAT_BETTER,
        ),
        Command(
            "ogFormatFs",
            "DISK PARTITION [FILESYSTEM [LABEL]]",
            "makes a fresh filesystem on a partition, of the present kind unless said",
            _format_fs,
            2,
            4,
            "ogFormatFs 1 1 EXT4 data",
            better=_FORMAT_BETTER,
        ),
        Command(
            "ogUnsetDirtyBit",
            "DISK PARTITION",
            "clears the dirty mark of an NTFS; does nothing for other filesystems",
            _unset_dirty,
            2,
            2,
            "ogUnsetDirtyBit 1 1",
            better="A hibernated Windows is refused (PARTITION), with the remedy.",
        ),
    )
}
