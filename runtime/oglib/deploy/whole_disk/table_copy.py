# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies outside of partitions, kept in a small file and put back: MBR, boot code, GPT.

The files are those of OpenGnsys: 512 or 446 bytes of the first sector, or sgdisk's backup.
Nothing of a partition's content is touched; the kernel is told of a table that was put back.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib import durable
from oglib.deploy.itself import refuse_into_itself
from oglib.disk.lock import held
from oglib.disk.model import Disk, TableKind
from oglib.disk.writing.kernel import reread
from oglib.disk.writing.table import refuse_busy
from oglib.errors import (
    ImageError,
    NotFoundError,
    OgErr,
    PartitionError,
    ProcessError,
    UsageError,
    WriteError,
)
from oglib.image.format.manifest import check_name
from oglib.image.writing.target import open_target
from oglib.kernel.udev import settle
from oglib.run import run

MBR, BOOT, GPT = "mbr", "boot", "gpt"
KINDS = (MBR, BOOT, GPT)
_BYTES = {MBR: 512, BOOT: 446}
_SUFFIX = {MBR: ".mbr", BOOT: ".mbr", GPT: ".gpt"}
_MBR_END = b"\x55\xaa"
_ENTRIES_AT, _ENTRY_BYTES = 3 * 512, 128
_MOST_BYTES = 1 << 20  # a GPT of 128 entries and its backup: 34 KiB


def table_path(folder: str, name: str, kind: str) -> Path:
    """``FOLDER/NAME.mbr`` or ``FOLDER/NAME.gpt``."""
    return Path(folder) / f"{check_name(name)}{_SUFFIX[kind]}"


def create_table_image(disk: Disk, kind: str, path: Path) -> int:
    """Keep ``kind`` of ``disk`` in ``path``, which appears whole or not; returns its size."""
    _refuse_kind(disk, kind)
    refuse_into_itself(disk.path, [path])
    try:
        with held(disk), TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            part = Path(folder) / path.name
            if kind == GPT:
                _sgdisk(disk, f"--backup={part}")
            else:
                part.write_bytes(_first_sector(disk)[: _BYTES[kind]])
            durable.sync(part)
            durable.show(part, path)
            return path.stat().st_size
    except OSError as error:
        raise WriteError(
            f"{path} cannot be written: {error.strerror}.", hint="Choose another place."
        ) from error


def restore_table_image(path: Path, kind: str, disk: Disk) -> None:
    """Put ``kind`` from ``path`` onto ``disk``, which nobody may be using.

    The file is checked before anything is written, what was written afterwards.
    """
    content = _read(path)
    if kind == GPT:
        _check_gpt(content, path, disk)
    else:
        content = _checked_sector(content, path, kind)
    refuse_busy(disk)
    with held(disk):
        if kind == GPT:
            # -e: the second copy belongs to the end of this disk
            _sgdisk(disk, f"--load-backup={path}", "-e")
            problem = _sgdisk(disk, "--verify")
            if "No problems found" not in problem:
                raise PartitionError(
                    f"{disk.describe()} has no sound GPT with {path.name}: "
                    f"{' '.join(problem.split())[:300]}",
                    hint="Look at it with `og disk list`, and at the kernel's log.",
                )
            return
        with open_target(disk.path, write=True) as target:
            target.write(content, 0)
            target.flush()
            shown = reread(target.fd, disk.path) if kind == MBR else False
        if _first_sector(disk)[: len(content)] != content:
            raise WriteError(f"{disk.path} did not keep its first sector.")
        if shown:
            settle()


def _refuse_kind(disk: Disk, kind: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"There is no {kind!r} of a disk.", hint=f"Say {', '.join(KINDS)}.")
    if kind == GPT and disk.table is not TableKind.GPT:
        raise PartitionError(f"{disk.describe()} has no GPT.", code=OgErr.NOGPT)


def _first_sector(disk: Disk) -> bytes:
    with disk.path.open("rb", buffering=0) as file:
        return file.read(_BYTES[MBR])


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}.") from error


def _checked_sector(content: bytes, path: Path, kind: str) -> bytes:
    whole = len(content) == _BYTES[MBR] and content.endswith(_MBR_END)
    if not whole and (kind == MBR or len(content) != _BYTES[BOOT]):
        raise ImageError(
            f"{path} has {len(content)} bytes, which are no {kind} of a disk.",
            hint="It must hold the 512 bytes of an MBR with its mark, or 446 of boot code alone.",
        )
    return content[: _BYTES[kind]]


def _check_gpt(content: bytes, path: Path, disk: Disk) -> None:
    """sgdisk's backup: MBR, both headers and the entries, 512 bytes each but for the last."""
    problem = ""
    if len(content) < _ENTRIES_AT + _ENTRY_BYTES or content[512:520] != b"EFI PART":
        problem = "is no backup of a GPT"
    else:
        size, crc = struct.unpack_from("<II", content, 512 + 12)
        header = content[512 : 512 + min(size, 512)]
        if zlib.crc32(header[:16] + bytes(4) + header[20:]) != crc:
            problem = "is damaged: the checksum of its header does not match"
    if problem:
        raise ImageError(f"{path} {problem}.", hint="Make it with `og image create --table gpt`.")
    ends = (
        struct.unpack_from("<Q", content, at + 40)[0]
        for at in range(_ENTRIES_AT, len(content) - _ENTRY_BYTES + 1, _ENTRY_BYTES)
    )
    needed = (max(ends) + 1) * disk.logical_sector_bytes
    if needed > disk.size_bytes:
        raise PartitionError(
            f"The partitions of {path.name} end at byte {needed}, {disk.describe()} has "
            f"{disk.size_bytes}.",
            hint="Restore it to a disk that is as large as the one it was taken from.",
            code=OgErr.IMGSIZEPARTITION,
        )


def _sgdisk(disk: Disk, *words: str) -> str:
    """What sgdisk says; its errors are those of the partition table."""
    try:
        return run("sgdisk", *words, disk.path).stdout
    except ProcessError as error:
        raise PartitionError(
            f"The GPT of {disk.describe()} was not worked on: {error.message}"
        ) from error
