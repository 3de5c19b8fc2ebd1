# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON files beside an inventory: bounded, whole or not there, one writer at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ognetboot import keeping
from ognetboot.errors import NetbootError

T = TypeVar("T")

MOST_BYTES = 8 << 20
_LOCK_WAIT_S = 10.0


def beside(inventory: Path, word: str) -> Path:
    """`classroom.toml`, `waiting` → `classroom.waiting.json` in the same folder."""
    return keeping.beside(inventory, f"{word}.json")


def read(path: Path, shape: Callable[[object], T], nothing: Callable[[], T]) -> T:
    """The file's content through `shape`, which raises where it is not what it should be.

    `nothing` where there is no file. Whatever else stops the reading is an error, never an
    absence: it would be written over.
    """
    try:
        data = keeping.content(path, MOST_BYTES)
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
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
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
    keeping.write(path, data, mode=mode, durable=durable)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else changes `path` meanwhile; whoever would waits, but not for ever."""
    with keeping.locked(path.with_name(f".{path.name}.lock"), _LOCK_WAIT_S):
        yield
