# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes the text of an inventory and leaves all the rest of it as it is, byte for byte. Pure.

Comments, order and the way of writing are a person's; so a value is exchanged where it stands, and
what is new goes behind what is of its kind. A library that keeps comments takes seconds to read
5,000 PCs. Each change is proven: the new text, read by `tomllib`, is the old data with that change.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ognetboot.errors import NetbootError
from ognetboot.inventory.faults import Path
from ognetboot.inventory.model import Inventory, ScopeKind
from ognetboot.inventory.places import Places, Span, find_places, values_of
from ognetboot.inventory.scopes import Scope

# What a key may hold: a word, a number, a flag, words, or words by name.
Value = str | int | bool | Sequence[str] | Mapping[str, str]
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table to add: `("rooms", "aula1")`, or `("clients",)` for one more of a list; `about` are
    lines of a comment above it."""

    path: tuple[str, ...]
    values: Mapping[str, Value]
    about: str = ""

    @property
    def family(self) -> str:
        """The table that it goes behind the others of."""
        return self.path[0]

    def text(self) -> str:
        """As it is written."""
        header = ".".join(_key(word) for word in self.path)
        header = f"[{header}]" if len(self.path) > 1 or not _is_list(self) else f"[[{header}]]"
        lines = [f"# {line}".rstrip() for line in self.about.splitlines()]
        lines += [header, *(f"{_key(k)} = {toml(v)}" for k, v in self.values.items())]
        return "\n".join(lines) + "\n"


def _is_list(table: NewTable) -> bool:
    return table.family == "clients"


def toml(value: Value) -> str:
    """A value as TOML has it on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # A basic string escapes as JSON does, and DEL besides.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return "[" + ", ".join(map(toml, value)) + "]"


def _key(word: str) -> str:
    return word if _BARE.fullmatch(word) else toml(word)


def place_of(inventory: Inventory, scope: Scope) -> Path:
    """Where the file has the table of a scope."""
    match scope.kind:
        case ScopeKind.ALL:
            return ("server",)
        case ScopeKind.CENTRE:
            return ("centres", scope.name)
        case ScopeKind.ROOM:
            return ("rooms", scope.name)
        case ScopeKind.GROUP:
            return ("groups", scope.name)
        case ScopeKind.PC:
            names = [client.name for client in inventory.clients]
            return ("clients", names.index(scope.name))


def key_of(scope: Scope, choice: str) -> str:
    """What a choice is called in the table of a scope."""
    return "default_entry" if choice == "entry" and scope.kind is not ScopeKind.PC else choice


def with_choice(
    text: str, inventory: Inventory, scope: Scope, choice: str, value: Value | None
) -> str:
    """The text in which a scope says a choice; None: in which it says nothing of it."""
    return with_value(text, place_of(inventory, scope), key_of(scope, choice), value)


def with_value(text: str, table: Path, key: str, value: Value | None) -> str:
    """The text in which a table's key has that value; None: has none."""
    places, path = find_places(text), (*table, key)
    span = places.values.get(path)
    if value is None:
        return _without_values(text, [path])
    if span is not None:
        new = text[: span.value] + toml(value) + text[span.end :]
    else:
        new = _with_key(places, table, f"{_key(key)} = {toml(value)}")
    return _proven(new, _with(values_of(text), path, value))


def without_choice(text: str, inventory: Inventory, scopes: Sequence[Scope], choice: str) -> str:
    """The text in which none of these scopes says a choice of its own."""
    numbers = {client.name: number for number, client in enumerate(inventory.clients)}
    tables = (
        ("clients", numbers[one.name]) if one.kind is ScopeKind.PC else place_of(inventory, one)
        for one in scopes
    )
    keys = (key_of(one, choice) for one in scopes)
    return _without_values(text, [(*table, key) for table, key in zip(tables, keys, strict=True)])


def _without_values(text: str, paths: Sequence[Path]) -> str:
    """The text without these keys, of which some may not be there."""
    spans = find_places(text).values
    new, values = text, values_of(text)
    there = [path for path in paths if path in spans]
    # From the end on, so that what lies before keeps its place.
    for path in sorted(there, key=lambda path: spans[path].start, reverse=True):
        new = _without(new, path, spans[path])
    for path in paths:
        values = _with(values, path, None)
    return _proven(new, values)


def _without(text: str, path: Path, span: Span) -> str:
    """Without the line or lines of a key, where they hold nothing else."""
    first = text.rfind("\n", 0, span.start) + 1
    last = text.find("\n", span.end)
    last = len(text) if last < 0 else last + 1
    rest = text[span.end : last].strip()
    if text[first : span.start].strip() or (rest and not rest.startswith("#")):
        raise _by_hand(path)
    return text[:first] + text[last:]


def _with_key(places: Places, table: Path, line: str) -> str:
    section = places.sections.get(table)
    if section is None:
        raise _by_hand(table)
    text, at = places.text, _end_of_line(places.text, section.end)
    indent = _indent(places, table)
    if at and text[at - 1] != "\n":
        return f"{text[:at]}\n{indent}{line}\n{text[at:]}"
    return f"{text[:at]}{indent}{line}\n{text[at:]}"


def _indent(places: Places, table: Path) -> str:
    """What stands before the header: a person may have moved a table in."""
    start = places.sections[table].start
    return places.text[places.text.rfind("\n", 0, start) + 1 : start]


def _end_of_line(text: str, at: int) -> int:
    """Behind the end of the line that `at` is in."""
    newline = text.find("\n", at)
    return len(text) if newline < 0 else newline + 1


def with_tables(text: str, tables: Sequence[NewTable]) -> str:
    """The text with new tables, each behind the last one of its kind, or at the end."""
    places = find_places(text)
    values = tomllib.loads(text)
    blocks: dict[int, list[str]] = {}
    for table in tables:
        _add(values, table)
        blocks.setdefault(_behind(places, table.family), []).append(table.text())
    new = text
    for at in sorted(blocks, reverse=True):
        before, after = new[:at], new[at:]
        gap = "" if not before or before.endswith("\n\n") else "\n"
        gap = gap if before.endswith("\n") or not before else "\n\n"
        ending = "\n" if after.strip() and not after.startswith("\n") else ""
        new = before + gap + "\n".join(blocks[at]) + ending + after
    return _proven(new, values)


def _behind(places: Places, family: str) -> int:
    """Where a table of this family goes: behind the others and their tables, else to the end."""
    ends = [s.end for path, s in places.sections.items() if path and path[0] == family]
    return _end_of_line(places.text, max(ends)) if ends else len(places.text)


def _add(values: dict[str, Any], table: NewTable) -> None:
    plain = {key: _plain(value) for key, value in table.values.items()}
    if _is_list(table):
        values.setdefault(table.family, []).append(plain)
        return
    *above, name = table.path
    inner = values
    for word in above:
        inner = inner.setdefault(word, {})
    if name in inner:
        raise NetbootError(
            f"[{'.'.join(table.path)}] is there already", hint="change it, or take another name"
        )
    inner[name] = plain


def _with(values: Any, path: Path, value: Value | None) -> Any:
    """The data with another value at that place; what is given stays as it is."""
    word, *inner = path
    new = values.copy()
    if inner:
        new[word] = _with(values[word], tuple(inner), value)
    elif value is None:
        new.pop(word, None)
    else:
        new[word] = _plain(value)
    return new


def _plain(value: Value) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return value if isinstance(value, str | int) else list(value)


def _proven(text: str, wanted: Mapping[str, Any]) -> str:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != wanted:
        raise NetbootError(
            "the inventory is written in a way that is not changed by programs",
            hint="write tables with headers of their own, such as [rooms.aula1]",
        )
    return text


def _by_hand(path: Path) -> NetbootError:
    return NetbootError(
        f"{'.'.join(map(str, path))} stands inside another value of the inventory",
        hint="write it as a table or a line of its own, or change it by hand",
    )
