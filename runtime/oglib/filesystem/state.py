# SPDX-License-Identifier: GPL-3.0-or-later
"""In what state a filesystem was left: dirty, hibernated, encrypted; with the remedy for each.

Reads headers only, never writes and starts nothing. The bytes are hostile input: what makes no
sense says nothing, and nothing is raised because of it.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import FilesystemError
from oglib.filesystem.kind import (
    CHECK,
    ERRORS,
    FAILED,
    NOT_CLEAN,
    REPLAY,
    SURFACE,
    Trouble,
)
from oglib.filesystem.kinds import KINDS

# The tables of one family are imported when there is one of it: a listing meets few.

ReadAt = Callable[[int, int], bytes]
# Nothing can be mounted here without the key.
NEVER_MOUNTED = frozenset({Trouble.BITLOCKER, Trouble.LUKS})
# Written by us, Windows would lose what it keeps in memory or in its journal.
NEVER_WRITTEN = frozenset({Trouble.HIBERNATED, Trouble.UNFINISHED})
# What is on one device is not the filesystem, whatever state it was left in.
NEVER_CAPTURED = NEVER_MOUNTED | {Trouble.SPREAD}


@dataclass(frozen=True, slots=True)
class State:
    """One trouble: what it is in words, and what removes it."""

    trouble: Trouble
    text: str
    remedy: str


_GATHER = "Bring it onto one device in its own system first."
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
# To Go volumes look like FAT and are told apart by the identifier at 424.
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
    for look in (_encrypted, _ntfs, _marked, _fat, _ext, _xfs, _f2fs, _hfsplus, _swap):
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
    except OverflowError:
        return b""
    except OSError as error:
        if error.errno == errno.EINVAL:  # an offset that no device has
            return b""
        raise FilesystemError(
            f"In what state a filesystem was left cannot be read: {error.strerror}.",
            hint="Look at the kernel log (dmesg) for the device's own message.",
        ) from error


def _encrypted(read_at: ReadAt) -> list[State]:
    first = read_at(0, 512)
    if KINDS["bitlocker"].is_in(first) or (first[3:11] == _TO_GO and first[424:440] == _TO_GO_ID):
        return [_BITLOCKER]
    if KINDS["luks"].is_in(first):
        version = struct.unpack_from(">H", first, 6)[0]
        text = f"it is encrypted with LUKS version {version}"
        remedy = "Decrypt it in its own system (`cryptsetup reencrypt --decrypt`), or format it."
        return [State(Trouble.LUKS, text, remedy)]
    return []


def _ntfs(read_at: ReadAt) -> list[State]:
    if not KINDS["ntfs"].is_on(read_at):
        return []
    from oglib.filesystem.structures import ntfs  # noqa: PLC0415

    try:
        state = ntfs.read_state(read_at)
    except ntfs.Unreadable:
        return [State(Trouble.DIRTY, "its NTFS structures cannot be read", CHECK)]
    found = []
    if state.hibernated:
        text = "Windows is hibernated on it (or was shut down with fast startup)"
        found.append(State(Trouble.HIBERNATED, text, _FULL_SHUTDOWN))
    elif state.unfinished:
        text = "Windows did not finish with it (its journal is not empty)"
        found.append(State(Trouble.UNFINISHED, text, f"{_FULL_SHUTDOWN} Or: {CHECK}"))
    if state.dirty:
        text = "Windows wants to check it at its next start (dirty flag)"
        found.append(State(Trouble.DIRTY, text, f"Let Windows check it (`chkdsk /f`). Or: {CHECK}"))
    return found


def _marked(read_at: ReadAt) -> list[State]:
    """What one number of a superblock says; ext, NTFS, XFS, F2FS, FAT and HFS+ say more below."""
    for kind in KINDS.values():
        if not kind.left or not kind.is_on(read_at):
            continue
        for left in kind.left:
            found = struct.unpack(left.form, read_at(left.at, struct.calcsize(left.form)))[0]
            if found & left.bits != left.clean:
                return [State(left.trouble, left.text, left.remedy)]
    return []


def _fat(read_at: ReadAt) -> list[State]:
    """The two bits in the second entry of a FAT, which Windows keeps; set: clean, no errors."""
    first = read_at(0, 512)
    sector, reserved = struct.unpack_from("<HxH", first, 11)
    if not sector or not reserved:
        return []
    if KINDS["fat32"].is_in(first):
        entry, clean, sound = struct.unpack("<I", read_at(reserved * sector + 4, 4))[0], 27, 26
    elif KINDS["fat16"].is_in(first):
        entry, clean, sound = struct.unpack("<H", read_at(reserved * sector + 2, 2))[0], 15, 14
    else:
        return []
    if not entry >> clean & 1:
        return [State(Trouble.DIRTY, NOT_CLEAN, CHECK)]
    return [] if entry >> sound & 1 else [State(Trouble.DIRTY, FAILED, SURFACE)]


def _ext(read_at: ReadAt) -> list[State]:
    block = read_at(1024, 1024)
    if not KINDS["ext4"].is_on(read_at):
        return []
    flags, compatible, incompatible = struct.unpack_from("<H32xII", block, 58)
    if incompatible & 8:
        text = "it is the journal of an ext filesystem on another device"
        return [State(Trouble.SPREAD, text, _GATHER)]
    if compatible & 4 and not struct.unpack_from("<I", block, 224)[0] and any(block[208:224]):
        text = "the journal of its ext filesystem is on another device"
        return [State(Trouble.SPREAD, text, _GATHER)]
    if flags & 2:
        return [State(Trouble.DIRTY, ERRORS, CHECK)]
    if incompatible & 4:
        return [State(Trouble.JOURNAL, f"{NOT_CLEAN} (its journal is not empty)", CHECK)]
    if not flags & 1:
        return [State(Trouble.DIRTY, NOT_CLEAN, CHECK)]
    return []


def _xfs(read_at: ReadAt) -> list[State]:
    if not KINDS["xfs"].is_on(read_at):
        return []
    from oglib.filesystem.structures import xfs  # noqa: PLC0415

    try:
        left = xfs.read_left(read_at)
    except xfs.Unreadable:
        return [State(Trouble.DIRTY, "its XFS structures cannot be read", CHECK)]
    if left.elsewhere:
        text = f"{left.elsewhere} of its XFS is on another device"
        return [State(Trouble.SPREAD, text, _GATHER)]
    if left.broken:
        return [State(Trouble.DIRTY, ERRORS, CHECK)]
    if not left.log_empty:
        return [State(Trouble.JOURNAL, f"{NOT_CLEAN} (its log is not empty)", REPLAY)]
    return []


def _f2fs(read_at: ReadAt) -> list[State]:
    if not KINDS["f2fs"].is_on(read_at):
        return []
    from oglib.filesystem.structures import f2fs  # noqa: PLC0415

    try:
        left = f2fs.read_left(read_at)
    except f2fs.Unreadable:
        return [State(Trouble.DIRTY, "its F2FS structures cannot be read", CHECK)]
    if left.devices > 1:
        text = f"it is one device of an F2FS with {left.devices}"
        return [State(Trouble.SPREAD, text, _GATHER)]
    if left.errors:
        return [State(Trouble.DIRTY, ERRORS, CHECK)]
    if not left.unmounted:
        return [State(Trouble.JOURNAL, f"{NOT_CLEAN} (its last checkpoint is none)", REPLAY)]
    return []


def _hfsplus(read_at: ReadAt) -> list[State]:
    """A journal that is not empty: what it holds is not where it belongs yet."""
    head = read_at(1024, 512)
    attributes, journal = struct.unpack_from(">I4xI", head, 4)
    if not KINDS["hfsplus"].is_on(read_at) or not attributes & 0x2000:
        return []
    where = read_at(journal * struct.unpack_from(">I", head, 40)[0], 52)
    flags, offset = struct.unpack_from(">I32xQ", where)
    if not flags & 1:
        return [State(Trouble.SPREAD, "the journal of its HFS+ is on another device", _GATHER)]
    log = read_at(offset, 24)
    # written in the order of the processor that did it
    order = ">" if log[4:8] == b"\x12\x34\x56\x78" else "<"
    start, end = struct.unpack_from(f"{order}QQ", log, 8)
    if start != end:
        return [State(Trouble.JOURNAL, f"{NOT_CLEAN} (its journal is not empty)", REPLAY)]
    return []


def _swap(read_at: ReadAt) -> list[State]:
    asleep = any(read_at(page - 10, 10) in _SUSPEND_WORDS for page in _PAGES)
    return [_SUSPENDED] if asleep else []
