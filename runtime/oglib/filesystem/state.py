# SPDX-License-Identifier: GPL-3.0-or-later
"""In what state a filesystem was left: dirty, hibernated, encrypted; with the remedy for each.

Reads headers only, never writes and starts nothing. The bytes are hostile input: what makes no
sense says nothing, and nothing is raised because of it.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from oglib.errors import FilesystemError
from oglib.filesystem import ntfs
from oglib.filesystem.ntfs import ReadAt


class Trouble(StrEnum):
    """What keeps a filesystem from being used as it is."""

    DIRTY = "dirty"
    JOURNAL = "journal"
    HIBERNATED = "hibernated"
    UNFINISHED = "unfinished"
    SUSPENDED = "suspended"
    BITLOCKER = "bitlocker"
    LUKS = "luks"


# Nothing can be mounted here without the key.
NEVER_MOUNTED = frozenset({Trouble.BITLOCKER, Trouble.LUKS})
# Written by us, Windows would lose what it keeps in memory or in its journal.
NEVER_WRITTEN = frozenset({Trouble.HIBERNATED, Trouble.UNFINISHED})


@dataclass(frozen=True, slots=True)
class State:
    """One trouble: what it is in words, and what removes it."""

    trouble: Trouble
    text: str
    remedy: str


_CHECK = "Check it with `og fs check`."
_FULL_SHUTDOWN = (
    "Start Windows, run `powercfg /h off` (no hibernation, no fast startup) "
    "and shut down with `shutdown /s /t 0`."
)
_BITLOCKER = State(
    Trouble.BITLOCKER,
    "it is encrypted with BitLocker",
    "Start Windows, run `manage-bde -off C:` (its own drive letter) and wait until "
    "`manage-bde -status` says fully decrypted.",
)
_SUSPENDED = State(
    Trouble.SUSPENDED,
    "it holds the memory of a Linux that sleeps (hibernation)",
    "Start that Linux and shut it down fully.",
)
# At offset 3. To Go volumes look like FAT and are told apart by the identifier at 424.
_FVE = b"-FVE-FS-"
_TO_GO = b"MSWIN4.1"
_TO_GO_ID = bytes.fromhex("3bd667492e29d84a8399f6a339e3d001")
_SUSPEND_WORDS = (b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001")
_PAGES = (4096, 8192, 16384, 65536)


def state_of(device: Path) -> tuple[State, ...]:
    """The troubles of what is on ``device``; none: it was left clean, or we cannot tell.

    Of a filesystem that is mounted for writing this says how it looks meanwhile.
    """
    try:
        file = device.open("rb", buffering=0)
    except OSError as error:
        raise FilesystemError(f"{device} cannot be read: {error.strerror}.") from error
    with file:
        return state_in(lambda offset, size: _pread(file.fileno(), offset, size))


def state_in(read_at: ReadAt) -> tuple[State, ...]:
    """As ``state_of``, of whatever ``read_at(offset, size)`` gives."""
    found: list[State] = []
    for look in (_encrypted, _ntfs, _fat, _ext, _btrfs, _jfs, _swap):
        try:
            found += look(read_at)
        except (struct.error, IndexError):  # cut off: not that kind
            continue
        if found:
            break
    return tuple(found)


def _pread(descriptor: int, offset: int, size: int) -> bytes:
    try:
        return os.pread(descriptor, size, offset)
    except OSError:  # a bad sector, or an offset that no device has
        return b""


def _encrypted(read_at: ReadAt) -> list[State]:
    first = read_at(0, 512)
    if first[3:11] == _FVE or (first[3:11] == _TO_GO and first[424:440] == _TO_GO_ID):
        return [_BITLOCKER]
    if first[:6] == b"LUKS\xba\xbe":
        version = struct.unpack_from(">H", first, 6)[0]
        text = f"it is encrypted with LUKS version {version}"
        remedy = "Decrypt it in its own system (`cryptsetup reencrypt --decrypt`), or format it."
        return [State(Trouble.LUKS, text, remedy)]
    return []


def _ntfs(read_at: ReadAt) -> list[State]:
    if not ntfs.is_ntfs(read_at):
        return []
    try:
        state = ntfs.read_state(read_at)
    except ntfs.Unreadable:
        return [State(Trouble.DIRTY, "its NTFS structures cannot be read", _CHECK)]
    found = []
    if state.hibernated:
        text = "Windows is hibernated on it (or was shut down with fast startup)"
        found.append(State(Trouble.HIBERNATED, text, _FULL_SHUTDOWN))
    elif state.unfinished:
        text = "Windows did not finish with it (its journal is not empty)"
        found.append(State(Trouble.UNFINISHED, text, f"{_FULL_SHUTDOWN} Or: {_CHECK}"))
    if state.dirty:
        text = "Windows wants to check it at its next start (dirty flag)"
        found.append(
            State(Trouble.DIRTY, text, f"Let Windows check it (`chkdsk /f`). Or: {_CHECK}")
        )
    return found


def _fat(read_at: ReadAt) -> list[State]:
    first = read_at(0, 512)
    if first[3:11] == b"EXFAT   ":
        dirty = struct.unpack_from("<H", first, 106)[0] & 2
    elif first[82:87] == b"FAT32":
        dirty = first[65] & 1
    elif first[54:58] == b"FAT1":
        dirty = first[37] & 1
    else:
        return []
    return [State(Trouble.DIRTY, "it was not unmounted cleanly", _CHECK)] if dirty else []


def _ext(read_at: ReadAt) -> list[State]:
    block = read_at(1024, 1024)
    if block[56:58] != b"\x53\xef":
        return []
    flags, incompatible = struct.unpack_from("<H36xI", block, 58)
    if flags & 2:
        return [State(Trouble.DIRTY, "it has errors", _CHECK)]
    if incompatible & 4:
        text = "it was not unmounted cleanly (its journal is not empty)"
        return [State(Trouble.JOURNAL, text, _CHECK)]
    if not flags & 1:
        return [State(Trouble.DIRTY, "it was not unmounted cleanly", _CHECK)]
    return []


def _btrfs(read_at: ReadAt) -> list[State]:
    block = read_at(65536, 104)
    if block[64:72] != b"_BHRfS_M" or not struct.unpack_from("<Q", block, 96)[0]:
        return []
    text = "it was not unmounted cleanly (its log is not empty)"
    return [State(Trouble.JOURNAL, text, "Mounting it for writing replays the log.")]


def _jfs(read_at: ReadAt) -> list[State]:
    block = read_at(32768, 48)
    if block[:4] != b"JFS1" or not struct.unpack_from("<I", block, 40)[0]:
        return []
    return [State(Trouble.DIRTY, "it was not unmounted cleanly", _CHECK)]


def _swap(read_at: ReadAt) -> list[State]:
    asleep = any(read_at(page - 10, 10) in _SUSPEND_WORDS for page in _PAGES)
    return [_SUSPENDED] if asleep else []
