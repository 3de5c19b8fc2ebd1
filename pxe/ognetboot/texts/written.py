# SPDX-License-Identifier: GPL-3.0-or-later
"""Files brought to the disk: many at once, by one writer at a time, owned by whom they are for."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ognetboot.errors import NetbootError

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
    handle = os.open(out.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(handle, out)
        yield
    finally:
        os.close(handle)


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


def _lock(handle: int, out: Path) -> None:
    until = time.monotonic() + _LOCK_LIMIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise NetbootError(
                    f"{out} is being written by another ognetboot, for a minute already",
                    hint="wait until it is done",
                ) from None
            time.sleep(0.1)
        else:
            return


def sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
