# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of files that are whole or not there, and OpenGnsys' checksums of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from oglib import durable, reporters
from oglib.errors import OgErr, OgError, WriteError
from oglib.partfile import locked, new_file

_PIECE_BYTES = 1024 * 1024
_TAIL_BYTES = 1024 * 1024  # what OpenGnsys' short checksum covers


def checksum(path: Path, *, whole: bool) -> str:
    """The MD5 of a file, or of its last MiB alone, as OpenGnsys writes it into ``.sum`` files."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        if not whole:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        for piece in _pieces(file):
            digest.update(piece)
    return digest.hexdigest()


def copy_file(source: Path, folder: Path, *, name: str = "") -> None:
    """Copy ``source`` into ``folder``, with its times and mode; ``name``: another than its own.

    What had the name before stays until the copy was read back and found equal.
    """
    target = folder / (name or source.name)
    part = target.with_name(f"{target.name}.part")
    size_bytes = source.stat().st_size
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < size_bytes:
        raise WriteError(
            f"{source.name} has {size_bytes} bytes and {folder} has room for "
            f"{room.f_bavail * room.f_frsize}.",
            hint="Make room there.",
        )
    with _part_file(part) as file:
        try:
            _copy_into(source, file)
            durable.show(part, target)
        except OSError as error:
            part.unlink()
            raise WriteError(f"{target} cannot be written: {error.strerror}.") from error
        except BaseException:
            part.unlink()
            raise


def write_small(path: Path, text: str) -> None:
    """Put a short text in place of ``path``; power loss leaves the old or the new one."""
    part = path.with_name(f"{path.name}.part")
    with _part_file(part) as file:
        file.write(text.encode())
        durable.settle(file)
        durable.show(part, path)  # before its lock goes


def _part_file(part: Path) -> BinaryIO:
    """The unfinished file, ours alone: what an interrupted copy left under that name is dropped."""
    number = locked(part, new_file(part))
    if number is None:
        raise OgError(f"{part} is being written by another copy.", code=OgErr.LOCKED)
    file = os.fdopen(number, "w+b")
    file.truncate(0)
    return file


def _copy_into(source: Path, file: BinaryIO) -> None:
    info = source.stat()
    written = hashlib.blake2b()
    with reporters.for_stream().phase("copy", info.st_size) as phase, source.open("rb") as original:
        for piece in _pieces(original):
            file.write(piece)
            written.update(piece)
            phase.advance(len(piece))
    # forgotten: read from the disk, not from the pages that were just written
    durable.settle(file, forget=True)
    file.seek(0)
    found = hashlib.blake2b()
    for piece in _pieces(file):
        found.update(piece)
    if found.digest() != written.digest():
        raise WriteError(
            f"The copy of {source} on the disk differs from it.", hint="Check that disk."
        )
    os.fchmod(file.fileno(), info.st_mode & 0o777)
    os.utime(file.fileno(), ns=(info.st_atime_ns, info.st_mtime_ns))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece
