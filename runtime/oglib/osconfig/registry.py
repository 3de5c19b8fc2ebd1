# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows registry of an installed system: the only owner of ``hivex``; reads only.

A hive is hostile input. It is never opened where it lies: ``TargetRoot`` copies it into memory that
has no name, and hivex, which checks every page and cell before it believes it, gets that copy. What
hivex or a decoder refuses becomes an ``OgError``. Key paths are written with backslashes and, as in
Windows, upper and lower case are the same.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, TypeVar

import hivex

from oglib.errors import NotFoundError, OgError
from oglib.osconfig.root import TargetRoot

_MOST_TEXT_BYTES = 1 << 20  # of one value; longer texts are read up to there
_MOST_READ_BYTES = 1 << 30
_VALUE_BYTES = 1024  # what a value costs beside its data
_FOLDERS = ("Windows/System32/config", "WINNT/System32/config")
_Result = TypeVar("_Result")


class ValueType(IntEnum):
    """Types of registry values that are decoded here; others keep their bytes."""

    SZ = 1
    EXPAND_SZ = 2
    BINARY = 3
    DWORD = 4
    DWORD_BIG_ENDIAN = 5
    MULTI_SZ = 7
    QWORD = 11


_NUMBERS: dict[int, str] = {
    ValueType.DWORD: "<I",
    ValueType.DWORD_BIG_ENDIAN: ">I",
    ValueType.QWORD: "<Q",
}
_TEXTS: tuple[int, ...] = (ValueType.SZ, ValueType.EXPAND_SZ, ValueType.MULTI_SZ)


@dataclass(frozen=True, slots=True)
class Value:
    """One value as it is stored; the properties read it as what its type says."""

    name: str
    type: int
    data: bytes

    @property
    def text(self) -> str:
        """A text up to its end mark, several ones separated by blanks, a number in decimal."""
        if self.type in _NUMBERS:
            return "" if self.number is None else str(self.number)
        return " ".join(self.texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of a MULTI_SZ, the only one of another; empty for what is no text."""
        if self.type not in _TEXTS:
            return ()
        size = min(len(self.data), _MOST_TEXT_BYTES) // 2 * 2
        whole = self.data[:size].decode("utf-16-le", "replace")
        if self.type == ValueType.MULTI_SZ:
            return tuple(part for part in whole.split("\0") if part)
        return (whole.partition("\0")[0],)

    @property
    def number(self) -> int | None:
        """The number of a DWORD or QWORD; None for what is none or is cut short."""
        form = _NUMBERS.get(self.type)
        if form is None or len(self.data) < struct.calcsize(form):
            return None
        return int(struct.unpack_from(form, self.data)[0])


class Hive:
    """An open hive; ``open_hive`` makes one. Keys that are not there have no keys and values."""

    def __init__(self, path: str, name: str) -> None:
        self._name = name
        self._left_bytes = _MOST_READ_BYTES  # of what is read: cells may be shared without end
        self._hive: Any = self._asked(lambda: _Handle(path))

    def has(self, key: str) -> bool:
        """Whether there is such a key."""
        return self._node(key) is not None

    def keys(self, key: str) -> tuple[str, ...]:
        """The names of the keys directly below ``key``."""
        node = self._node(key)
        if node is None:
            return ()
        return self._asked(
            lambda: tuple(
                str(self._hive.node_name(child)) for child in self._hive.node_children(node)
            )
        )

    def values(self, key: str) -> dict[str, Value]:
        """All values of ``key`` by their names in lower case; the default one is ``""``."""
        node = self._node(key)
        return {} if node is None else self._values_of(node)

    def values_below(self, key: str) -> Iterator[dict[str, Value]]:
        """The values of each key directly below ``key``, in one pass over them.

        By their names it would be a search among all of them for each.
        """
        node = self._node(key)
        children = () if node is None else self._asked(lambda: self._hive.node_children(node))
        for child in children:
            yield self._values_of(int(child))

    def _values_of(self, node: int) -> dict[str, Value]:
        def read() -> dict[str, Value]:
            found = {}
            for handle in self._hive.node_values(node):
                name = str(self._hive.value_key(handle))
                kind, data = self._hive.value_value(handle)
                self._left_bytes -= _VALUE_BYTES + len(data)
                if self._left_bytes < 0:
                    raise ValueError("more values than a registry holds")
                found[name.lower()] = Value(name, int(kind), bytes(data))
            return found

        return self._asked(read)

    def text(self, key: str, name: str) -> str:
        """One value as text; empty where there is none."""
        value = self.values(key).get(name.lower())
        return value.text if value else ""

    def number(self, key: str, name: str) -> int | None:
        """One value as a number; None where there is none."""
        value = self.values(key).get(name.lower())
        return value.number if value else None

    def _node(self, key: str) -> int | None:
        node = self._asked(self._hive.root)
        for part in key.split("\\"):
            if part:
                node = self._asked(partial(self._hive.node_get_child, node, part))
            if node is None:
                return None
        return int(node)

    def _asked(self, question: Callable[..., _Result]) -> _Result:
        try:
            return question()
        except (RuntimeError, OSError, ValueError) as error:
            raise OgError(
                f"The registry hive {self._name} is damaged: {error}.",
                hint="Start this Windows once and shut it down completely, or restore it.",
            ) from error


class _Handle(hivex.Hivex):  # type: ignore[misc]
    """hivex's own ``__del__`` complains aloud about a hive that could not be opened."""

    def __del__(self) -> None:
        if hasattr(self, "_o"):
            super().__del__()


def find_hive(root: TargetRoot, name: str) -> str:
    """Where the hive ``SOFTWARE``, ``SYSTEM``, … of a mounted Windows lies; empty if nowhere."""
    found = (root.spelled(f"{folder}/{name}") for folder in _FOLDERS)
    return next((path for path in found if path), "")


@contextmanager
def open_hive(root: TargetRoot, name: str) -> Iterator[Hive]:
    """The hive ``name`` of a mounted Windows, for the length of a ``with`` block.

    NotFoundError where there is none, OgError where it cannot be read.
    """
    path = find_hive(root, name)
    if not path:
        raise NotFoundError(f"There is no registry hive {name} on {root.path}.")
    with os.fdopen(os.memfd_create(f"hive-{name}", os.MFD_CLOEXEC), "wb") as copy:
        root.copy_to(path, copy)
        yield Hive(f"/proc/self/fd/{copy.fileno()}", path)
