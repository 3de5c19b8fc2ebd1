# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one TOML table key by key and keeps exactly where something is wrong.

It owns the sentence "[TABLE] KEY: ..." and nothing of what the keys mean. A wrong value is a fault,
kept, and the key is then as good as missing; so all faults of a file are found in one reading.
Whoever reads a table calls `finish()` at the end, for which every key nobody asked for is a fault:
a mistyped key is an error, never a silent default. What was read is used where nothing is a fault.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import TypeVar, overload

from ognetboot.inventory.faults import Fault, Faults, Path

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
_LONGEST_NAME = 63


def _called(values: object) -> str:
    """The name that a table of a list says, so that a person finds it."""
    name = values.get("name") if isinstance(values, Mapping) else None
    good = isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST_NAME
    return f" ({name})" if good else ""


class Table:
    """One table of the file; `where` is how a person would name it, e.g. `[rooms.aula1]`."""

    def __init__(self, faults: Faults, path: Path, where: str, values: object) -> None:
        self.faults = faults
        self.path = path
        self.where = where
        self._values: dict[str, object] = dict(values) if isinstance(values, Mapping) else {}
        self._asked: set[str] = set()
        if not isinstance(values, Mapping):
            faults.add(Fault(path, where, "is not a table", "write it as a TOML table"))

    def error(self, key: str, what: str, *, hint: str = "correct it and render again") -> None:
        """Keep a fault of `key`; `what` goes on as "is not ..."."""
        self.faults.add(Fault((*self.path, key), f"{self.where} {key}", what, hint))

    def warn(self, key: str, what: str, *, hint: str) -> None:
        """Keep what is strange and yet may be meant."""
        self.faults.add(Fault((*self.path, key), f"{self.where} {key}", what, hint, warning=True))

    def warn_whole(self, what: str, *, hint: str) -> None:
        """The same of the table as it is."""
        self.faults.add(Fault(self.path, self.where, what, hint, warning=True))

    def unknown(self, key: str, what: str, name: str, known: Collection[str]) -> None:
        """Keep that `name` is none of the `known` ones, with the nearest of them."""
        near = difflib.get_close_matches(name, known, n=1)
        listed = ", ".join(sorted(known)[:20]) or "none"
        hint = f"did you mean `{near[0]}`?" if near else f"known are: {listed}"
        self.error(key, what, hint=hint)

    def has(self, key: str) -> bool:
        """Whether the file says the key at all."""
        return key in self._values

    def says_any(self, keys: Collection[str]) -> bool:
        """Whether the file says one of these keys; where it does not, they count as asked for."""
        if self._values.keys().isdisjoint(keys):
            self._asked.update(keys)
            return False
        return True

    def _get(self, key: str, kind: type[T], word: str) -> T | None:
        self._asked.add(key)
        value = self._values.get(key)
        if value is None:
            return None
        # bool is an int in Python; `http_port = true` is a mistake all the same.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.error(key, f"{_told(value)} is not {word}")
            return None
        return value

    @overload
    def text(self, key: str, check: Callable[[str], T]) -> T | None: ...
    @overload
    def text(self, key: str, check: Callable[[str], T], default: T) -> T: ...
    def text(self, key: str, check: Callable[[str], T], default: T | None = None) -> T | None:
        """A string passed through `check`, whose ValueError becomes a fault with its place."""
        value = self._get(key, str, "a string")
        found = None if value is None else self._checked(key, value, check)
        return default if found is None else found

    def required(self, key: str, check: Callable[[str], T]) -> T | None:
        """Like `text`, but the key must be there; None only where it is a fault."""
        if key not in self._values:
            self._asked.add(key)
            self._missing(key)
            return None
        return self.text(key, check)

    def _missing(self, key: str) -> None:
        self.error(key, "is missing", hint=f"add `{key} = ...` to {self.where}")

    def word(self, key: str, check: Callable[[str], str]) -> str | None:
        """A string or a whole number, as its text; the key must be there."""
        value = self._get(key, object, "")
        if value is None:
            self._missing(key)
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.error(key, f"{_told(value)} is neither a number nor a string")
            return None
        return self._checked(key, str(value), check)

    def refuse(self, key: str, why: str) -> None:
        """A fault where `key` is there, which has no meaning beside the others."""
        if self._get(key, object, "") is not None:
            self.error(key, why, hint="remove it")

    def choice(self, key: str, kinds: type[E]) -> E | None:
        """One of the words of a StrEnum."""

        def check(text: str) -> E:
            try:
                return kinds(text)
            except ValueError:
                near = difflib.get_close_matches(text, list(kinds), n=1)
                meant = f" (did you mean {near[0]}?)" if near else ""
                raise ValueError(f"{text!r} is none of {', '.join(kinds)}{meant}") from None

        return self.text(key, check)

    def integer(self, key: str, *, low: int, high: int) -> int | None:
        """A whole number between `low` and `high`, both allowed."""
        value = self._get(key, int, "a whole number")
        if value is not None and not low <= value <= high:
            self.error(key, f"{_told(value)} is not between {low} and {high}")
            return None
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._get(key, bool, "true or false")
        return default if value is None else value

    def value(self, key: str) -> object | None:
        """Whatever stands there, for a caller who checks it."""
        return self._get(key, object, "")

    def texts(self, key: str, check: Callable[[str], T]) -> tuple[T, ...]:
        """A list of strings, each checked; empty when the key is missing."""
        value = self._get(key, list, "a list of strings")
        found = []
        for number, item in enumerate(value or ()):
            if not isinstance(item, str):
                self.error(key, f"{_told(item)} is not a string")
                continue
            one = self._checked(key, item, check, number)
            if one is not None:
                found.append(one)
        return tuple(found)

    def pairs(
        self, key: str, check_name: Callable[[str], str], check: Callable[[str], str]
    ) -> tuple[tuple[str, str], ...]:
        """A table of names and strings, both checked; empty when the key is missing."""
        value = self._get(key, dict, "a table")
        found = []
        for name, item in (value or {}).items():
            if not isinstance(item, str):
                self.error(key, f"{name} = {_told(item)} is not a string")
                continue
            left, right = self._checked(key, str(name), check_name), self._checked(key, item, check)
            if left is not None and right is not None:
                found.append((left, right))
        return tuple(found)

    def table(self, key: str) -> Table | None:
        """A table inside this one."""
        value = self._get(key, dict, "a table")
        if value is None:
            return None
        return Table(self.faults, (*self.path, key), f"{self.where} {key}", value)

    def tables(self, key: str) -> list[tuple[str, Table]]:
        """Named tables, `[key.NAME]`."""
        value = self._get(key, dict, "a set of named tables")
        return [
            (str(n), Table(self.faults, (*self.path, key, n), f"[{key}.{n}]", v))
            for n, v in (value or {}).items()
        ]

    def list_of_tables(self, key: str, called: str = "") -> list[Table]:
        """`[[key]]`, numbered from 1 in messages."""
        value = self._get(key, list, f"a list of [[{key}]] tables")
        name = called or f"[[{key}]]"
        return [
            Table(self.faults, (*self.path, key, n), f"{name} number {n + 1}{_called(v)}", v)
            for n, v in enumerate(value or ())
        ]

    def wrong(self, *keys: str) -> bool:
        """Whether one of them is a fault already, so that what follows from it is none."""
        places = {(*self.path, key) for key in keys}
        depth = len(self.path) + 1
        return any(one.path[:depth] in places for one in self.faults.errors)

    def finish(self) -> None:
        """The keys nobody asked for are faults."""
        for key in self._values:
            if key not in self._asked:
                self.unknown(key, "is not a known key", key, self._asked)

    def _checked(
        self, key: str, text: str, check: Callable[[str], T], number: int | None = None
    ) -> T | None:
        try:
            return check(text)
        except ValueError as error:
            place = (*self.path, key) if number is None else (*self.path, key, number)
            self.faults.add(
                Fault(place, f"{self.where} {key}", str(error), "correct it and render again")
            )
            return None


def _told(value: object) -> str:
    """The value for a sentence; Python writes no number of thousands of digits."""
    try:
        return repr(value)
    except ValueError:
        return "a number of thousands of digits"
