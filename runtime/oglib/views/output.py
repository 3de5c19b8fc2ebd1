# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as a person reads them (columns) and as a program reads them (JSON)."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from oglib.errors import printable
from oglib.wording import columns

_BETWEEN = "  "
_LAST = 24  # so many columns of the last one go before more of the others
_LEAST = 10  # so many hold every size


def plain(value: object) -> object:
    """Dataclasses, paths and tuples as what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def as_json(value: object) -> str:
    import json  # noqa: PLC0415  a command must start fast

    return json.dumps(plain(value), indent=2)


def table(rows: Sequence[Sequence[str]], *, indent: str = "", whole: bool = True) -> str:
    """Rows as columns two blanks apart; the last column is not padded.

    On a terminal no row is wider than that: what is too wide in the last column goes on in the line
    below or, unless ``whole``, is cut; other columns are cut, from the right on. ``--json`` and a
    file have all of it.
    """
    if not rows:
        return ""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(columns.width(row[column]) for row in rows) for column in range(len(rows[0]))]
    if (room := columns.of(sys.stdout)) is not None:
        widths = _fitting(widths, room - len(indent) - len(_BETWEEN) * (len(widths) - 1))
    return "\n".join(line for row in rows for line in _lines(row, widths, indent, whole=whole))


def _fitting(widths: list[int], room: int) -> list[int]:
    """The same, made smaller where they are too many together."""
    *others, last = widths
    over = sum(others) + min(last, _LAST) - room
    for column in range(len(others) - 1, -1, -1):
        less = max(0, min(over, others[column] - _LEAST))
        others[column] -= less
        over -= less
    return [*others, max(1, min(last, room - sum(others)))]


def _lines(row: Sequence[str], widths: Sequence[int], indent: str, *, whole: bool) -> Iterator[str]:
    *others, last = row
    head = indent + "".join(
        columns.padded(columns.cut(cell, width), width) + _BETWEEN
        for cell, width in zip(others, widths[:-1], strict=True)
    )
    told = columns.broken(last, widths[-1]) if whole else [columns.cut(last, widths[-1])]
    yield f"{head}{told[0]}".rstrip()
    for more in told[1:]:
        yield f"{' ' * columns.width(head)}{more}".rstrip()
