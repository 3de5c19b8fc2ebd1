# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the rows of an SQL dump of MySQL or MariaDB as text. Nothing of it is run.

Each statement is passed over whole by one pattern that knows strings and comments, so that what
looks like a statement inside a comment of a room is none. Values are strings, numbers and NULL.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from ognetboot.errors import NetbootError

Row = Mapping[str, str]

_MOST_ROWS = 200_000
# What a statement is made of; possessive, so that no text makes it try again.
_SPACE = re.compile(r"(?:[\s;]++|--[^\n]*+|#[^\n]*+|/\*(?s:.*?)\*/)*+")
_STATEMENT = re.compile(
    r"(?:[^'\"`;/#-]++"
    r"|'(?:[^'\\]++|\\.|'')*+'"
    r'|"(?:[^"\\]++|\\.|"")*+"'
    r"|`[^`]*+`"
    r"|/\*.*?\*/"
    r"|--[^\n]*+"
    r"|#[^\n]*+"
    r"|-|/(?!\*))*+;",
    re.DOTALL,
)
_CREATE = re.compile(r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?`?(\w+)`?\s*\(", re.IGNORECASE)
_COLUMN = re.compile(r"^\s*`(\w+)`\s", re.MULTILINE)
_INSERT = re.compile(
    r"(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO\s+`?(\w+)`?\s*(?:\(([^()]*)\))?\s*VALUES?\s*",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"\s*+(?:(?:_\w+\s*+)?'((?:[^'\\]++|\\.|'')*+)'|(NULL)|(-?[0-9][0-9.eE+-]*+)|(0x[0-9A-Fa-f]++))"
    r"\s*+([,)])",
    re.DOTALL | re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\(.)|''", re.DOTALL)
_MEANS = {"n": "\n", "r": "\r", "t": "\t", "0": "", "b": "", "Z": ""}


def read_rows(text: str, tables: Collection[str], source: str) -> dict[str, list[Row]]:
    """The rows of these tables by the name of the table; NULL is an empty text."""
    columns: dict[str, list[str]] = {}
    found: dict[str, list[Row]] = {}
    for statement in _statements(text, source):
        if create := _CREATE.match(statement):
            if create[1] in tables:
                columns[create[1]] = _COLUMN.findall(statement)
        elif (insert := _INSERT.match(statement)) and insert[1] in tables:
            table, named = insert[1], insert[2]
            names = re.findall(r"\w+", named) if named else columns.get(table)
            if not names:
                raise NetbootError(
                    f"{source}: rows of {table} come before its CREATE TABLE",
                    hint="export structure and data (`mysqldump ogAdmBD`)",
                )
            rows = found.setdefault(table, [])
            for values in _tuples(statement, insert.end(), table, source):
                rows.append(dict(zip(names, values, strict=False)))
                if len(rows) > _MOST_ROWS:
                    raise NetbootError(
                        f"{source} has more than {_MOST_ROWS} rows of {table}", hint="split it"
                    )
    return found


def _statements(text: str, source: str) -> Iterator[str]:
    at = 0
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if at >= len(text):
            return
        statement = _STATEMENT.match(text, at)
        if statement is None:
            raise NetbootError(
                f"{source}: line {text.count(chr(10), 0, at) + 1}: a statement without an end",
                hint="the export is cut off: make it again",
            )
        at = statement.end()
        yield statement[0]


def _tuples(statement: str, at: int, table: str, source: str) -> Iterator[list[str]]:
    while (start := statement.find("(", at)) >= 0:
        at, values = start + 1, []
        while True:
            match = _VALUE.match(statement, at)
            if match is None:
                raise NetbootError(
                    f"{source}: a row of {table} holds what is no value: "
                    f"{statement[at : at + 40].strip()!r}",
                    hint="export the data as `mysqldump` writes it",
                )
            text, null, number, code, end = match.groups()
            values.append(_plain(text) if text is not None else "" if null else number or code)
            at = match.end()
            if end == ")":
                break
        yield values


def _plain(text: str) -> str:
    if "\\" not in text and "''" not in text:
        return text
    return _ESCAPED.sub(lambda m: _MEANS.get(m[1], m[1]) if m[1] else "'", text)
