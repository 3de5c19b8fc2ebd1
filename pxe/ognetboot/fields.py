# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one TOML table key by key and says exactly where something is wrong.

It owns the sentence "FILE: [TABLE] KEY ..." and nothing of what the keys mean. Whoever reads a
table calls `finish()` at the end, which refuses every key nobody asked for: a mistyped key is an
error, never a silent default.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar, overload

from ognetboot.errors import NetbootError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Table:
    """One table of the file; `where` is how a person would name it, e.g. `[rooms.aula1]`."""

    def __init__(self, source: str, where: str, values: object) -> None:
        self.source = source
        self.where = where
        if not isinstance(values, Mapping):
            raise NetbootError(f"{source}: {where} is not a table", hint="write it as a TOML table")
        self._values: dict[str, object] = dict(values)
        self._asked: set[str] = set()

    def error(
        self, key: str, what: str, *, hint: str = "correct it and render again"
    ) -> NetbootError:
        """The error to raise for `key`; `what` goes on as "is not ..."."""
        return NetbootError(f"{self.source}: {self.where} {key}: {what}", hint=hint)

    def _get(self, key: str, kind: type[T], word: str) -> T | None:
        self._asked.add(key)
        value = self._values.get(key)
        if value is None:
            return None
        # bool is an int in Python; `http_port = true` is a mistake all the same.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"{value!r} is not {word}")
        return value

    @overload
    def text(self, key: str, check: Callable[[str], T]) -> T | None: ...
    @overload
    def text(self, key: str, check: Callable[[str], T], default: T) -> T: ...
    def text(self, key: str, check: Callable[[str], T], default: T | None = None) -> T | None:
        """A string passed through `check`, whose ValueError becomes a sentence with its place."""
        value = self._get(key, str, "a string")
        return default if value is None else self._checked(key, value, check)

    def required(self, key: str, check: Callable[[str], T]) -> T:
        """Like `text`, but the key must be there."""
        value = self.text(key, check)
        if value is None:
            raise self.error(key, "is missing", hint=f"add `{key} = ...` to {self.where}")
        return value

    def word(self, key: str, check: Callable[[str], str]) -> str:
        """A string or a whole number, as its text; the key must be there."""
        value = self._get(key, object, "")
        if value is None:
            raise self.error(key, "is missing", hint=f"add `{key} = ...` to {self.where}")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.error(key, f"{value!r} is neither a number nor a string")
        return self._checked(key, str(value), check)

    def refuse(self, key: str, why: str) -> None:
        """Raise when `key` is there, which has no meaning beside the others."""
        if self._get(key, object, "") is not None:
            raise self.error(key, why, hint="remove it")

    def choice(self, key: str, kinds: type[E], default: E) -> E:
        """One of the words of a StrEnum."""

        def check(text: str) -> E:
            try:
                return kinds(text)
            except ValueError:
                raise ValueError(f"{text!r} is none of {', '.join(kinds)}") from None

        return self.text(key, check, default)

    def integer(self, key: str, default: int, *, low: int, high: int) -> int:
        """A whole number between `low` and `high`, both allowed."""
        value = self._get(key, int, "a whole number")
        if value is None:
            return default
        if not low <= value <= high:
            raise self.error(key, f"{value} is not between {low} and {high}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._get(key, bool, "true or false")
        return default if value is None else value

    def texts(self, key: str, check: Callable[[str], T]) -> tuple[T, ...]:
        """A list of strings, each checked; empty when the key is missing."""
        value = self._get(key, list, "a list of strings")
        if value is None:
            return ()
        for item in value:
            if not isinstance(item, str):
                raise self.error(key, f"{item!r} is not a string")
        return tuple(self._checked(key, item, check) for item in value)

    def pairs(
        self, key: str, check_name: Callable[[str], str], check: Callable[[str], str]
    ) -> tuple[tuple[str, str], ...]:
        """A table of names and strings, both checked; empty when the key is missing."""
        value = self._get(key, dict, "a table")
        found = []
        for name, item in (value or {}).items():
            if not isinstance(item, str):
                raise self.error(key, f"{name} = {item!r} is not a string")
            found.append(
                (self._checked(key, str(name), check_name), self._checked(key, item, check))
            )
        return tuple(found)

    def table(self, key: str) -> Table | None:
        """A table inside this one."""
        value = self._get(key, dict, "a table")
        return None if value is None else Table(self.source, f"{self.where} {key}", value)

    def tables(self, key: str) -> list[tuple[str, Table]]:
        """Named tables, `[key.NAME]`."""
        value = self._get(key, dict, "a set of named tables")
        if value is None:
            return []
        return [(str(n), Table(self.source, f"[{key}.{n}]", v)) for n, v in value.items()]

    def list_of_tables(self, key: str) -> list[Table]:
        """`[[key]]`, numbered from 1 in messages."""
        value = self._get(key, list, f"a list of [[{key}]] tables")
        if value is None:
            return []
        return [Table(self.source, f"[[{key}]] number {n}", v) for n, v in enumerate(value, 1)]

    def finish(self) -> None:
        """Refuse the keys nobody asked for."""
        for key in self._values:
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, n=1)
                known = ", ".join(sorted(self._asked))
                hint = f"did you mean `{near[0]}`?" if near else f"known keys: {known}"
                raise self.error(key, "is not a known key", hint=hint)

    def _checked(self, key: str, text: str, check: Callable[[str], T]) -> T:
        try:
            return check(text)
        except ValueError as error:
            raise self.error(key, str(error)) from None
