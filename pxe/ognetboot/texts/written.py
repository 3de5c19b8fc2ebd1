# SPDX-License-Identifier: GPL-3.0-or-later
"""Files brought to the disk: many at once, by one writer at a time, owned by whom they are for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ognetboot import keeping

FILE_MODE, FOLDER_MODE = 0o644, 0o755
# So many files are brought to the disk one by one; for more of them all of it is.
_FEW = 64
_LOCK_LIMIT_S = 60.0


def write_all(files: Mapping[Path, bytes], above: Path) -> None:
    """Write new files, all of them on the disk when this returns."""
    one_by_one = len(files) <= _FEW
    owner = above.stat()
    for path, content in files.items():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            # TFTP and HTTP servers drop their rights: everybody must be able to read.
            os.fchmod(handle, FILE_MODE)
            if os.geteuid() == 0:
                os.fchown(handle, owner.st_uid, owner.st_gid)
            if one_by_one:
                os.fsync(handle)
    if not one_by_one:
        _sync_filesystem(above)


def _sync_filesystem(folder: Path) -> None:
    """Thousands of files cost one flush so, instead of one each."""
    # Its import is slow, and most calls write one PC.
    import ctypes  # noqa: PLC0415

    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(handle) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(handle)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Within it nobody else publishes beside `out`."""
    # Not its folder: who may only look into that could hold it, and so stop all writing.
    with keeping.locked(out.with_name(f".{out.name}.lock"), _LOCK_LIMIT_S):
        yield


@contextmanager
def scratch(out: Path) -> Iterator[Path]:
    """A folder beside `out`, on the same filesystem; one that a cut run has left goes first."""
    scratch = out.with_name(f".{out.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
