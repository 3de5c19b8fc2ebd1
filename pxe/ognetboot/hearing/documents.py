# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON files beside an inventory: bounded, whole or not there, one writer at a time."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from ognetboot.errors import NetbootError

T = TypeVar("T")

MOST_BYTES = 8 << 20
_LOCK_WAIT_S = 10.0
_LOCK_AGAIN_S = 0.02


def beside(inventory: Path, word: str) -> Path:
    """`classroom.toml`, `waiting` → `classroom.waiting.json` in the same folder."""
    return inventory.with_name(f"{inventory.stem}.{word}.json")


def read(path: Path, shape: Callable[[object], T], nothing: Callable[[], T]) -> T:
    """The file's content through `shape`, which raises where it is not what it should be.

    `nothing` where there is no file. Whatever else stops the reading is an error, never an
    absence: it would be written over.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return nothing()
    except OSError as error:
        raise NetbootError(
            f"{path} cannot be read: {error.strerror}", hint="check its rights"
        ) from None
    try:
        if len(data) > MOST_BYTES:
            raise ValueError
        return shape(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NetbootError(
            f"{path} is damaged: it does not hold what ognetboot writes there",
            hint="move it away; what it held is lost then",
        ) from None


def encoded(value: object) -> bytes:
    """What `write` writes."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "surrogatepass")


def write(path: Path, value: object, *, mode: int = 0o644, durable: bool = True) -> None:
    """Put `value` there in one step. `durable`: it is on the disk when this returns.

    What root writes into another user's folder is that user's, who writes it next.
    """
    data = encoded(value)
    if len(data) > MOST_BYTES:
        raise NetbootError(
            f"{path} would be too long to be read again, and stays as it is", hint="shorten it"
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), mode)
                _give_away(file.fileno(), path.parent)
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        if durable:
            _sync(path.parent)
    except OSError as error:
        raise NetbootError(
            f"{path} cannot be written: {error.strerror}", hint="check rights and free space"
        ) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else changes `path` meanwhile; whoever would waits, but not for ever."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NetbootError(
            f"{lock} cannot be opened: {error.strerror}", hint="check the rights of its folder"
        ) from None
    try:
        _give_away(handle, path.parent)
        end = time.monotonic() + _LOCK_WAIT_S
        while not _taken(handle):
            if time.monotonic() > end:
                raise NetbootError(
                    f"{path} is being changed by another program for {_LOCK_WAIT_S:.0f} s",
                    hint="look for an ognetboot that hangs",
                )
            time.sleep(_LOCK_AGAIN_S)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _give_away(handle: int, folder: Path) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
