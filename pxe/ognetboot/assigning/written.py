# SPDX-License-Identifier: GPL-3.0-or-later
"""Assignments as the text of their file, and back. Pure.

`{"schema": 1, "assigned": [{"number", "scope", "entry", "by", "made", "start", "end", "boots",
"exam", "used": {PC: {"count", "last", "by_fetch"}}}]}`, times as `2026-11-28T17:00:00Z`.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from ognetboot.assigning import times
from ognetboot.assigning.model import MOST_ASSIGNED, MOST_BOOTS, Assigned, Assignment, Use
from ognetboot.errors import NetbootError

T = TypeVar("T")

SCHEMA = 1
ANEW = "move it away: what is said then tells how to begin anew, with nothing assigned"
_NUMBER = re.compile(r"[0-9a-f]{12}")
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_SCOPE = re.compile(rf"all|(centre|room|group|pc):{_NAME}")
# An entry, DISK:PARTITION, or an image with its folders and version.
_ENTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}")
_PC = re.compile(_NAME)
_KEYS = frozenset(f.name for f in fields(Assignment))
_USE_KEYS = frozenset(f.name for f in fields(Use))
_BY = re.compile(r"[^\x00-\x1f\x7f]{1,64}")


def text(assigned: Assigned) -> bytes:
    """The file's content."""
    values = [_values(each) for each in assigned.all]
    return json.dumps({"schema": SCHEMA, "assigned": values}, indent=1).encode() + b"\n"


def _values(one: Assignment) -> dict[str, object]:
    return {
        "number": one.number,
        "scope": one.scope,
        "entry": one.entry,
        "by": one.by,
        "made": times.to_text(one.made),
        "start": one.start and times.to_text(one.start),
        "end": one.end and times.to_text(one.end),
        "boots": one.boots,
        "exam": one.exam,
        "used": {
            pc: {"count": use.count, "last": times.to_text(use.last), "by_fetch": use.by_fetch}
            for pc, use in one.used.items()
        },
    }


def parse(content: bytes, path: Path) -> Assigned:
    """What the file `path` says; whatever is not as `text` writes it is refused."""
    try:
        top = json.loads(content.decode("utf-8"), object_pairs_hook=_once)
        _need(isinstance(top, dict))
        if "schema" in top and top["schema"] != SCHEMA:
            raise NetbootError(
                f"{path} was written by another ognetboot (schema {top['schema']!r:.20})",
                hint=f"use the ognetboot that wrote it, or {ANEW}",
            )
        _need(top.keys() == {"schema", "assigned"})
        listed = _typed(top["assigned"], list)
        _need(len(listed) <= MOST_ASSIGNED)
        found = [_assignment(_typed(each, dict)) for each in listed]
        _need(len({each.number for each in found}) == len(found))
    except (ValueError, RecursionError):
        raise NetbootError(
            f"{path} is not a file of assignments, or it is damaged",
            hint=f"put a sound copy back, or {ANEW}",
        ) from None
    return Assigned(found)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    _need(len(found) == len(pairs))
    return found


def _need(right: bool) -> None:
    if not right:
        raise ValueError


def _typed(value: object, kind: type[T]) -> T:
    # bool is an int in Python
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError
    return value


def _matching(value: object, pattern: re.Pattern[str]) -> str:
    found = _typed(value, str)
    _need(pattern.fullmatch(found) is not None)
    return found


def _count(value: object) -> int:
    found = _typed(value, int)
    _need(1 <= found <= MOST_BOOTS)
    return found


def _moment(value: object) -> datetime:
    return times.from_text(_typed(value, str))


def _assignment(values: dict[str, object]) -> Assignment:
    _need(values.keys() == _KEYS)
    start, end, boots = values["start"], values["end"], values["boots"]
    used = _typed(values["used"], dict)
    return Assignment(
        number=_matching(values["number"], _NUMBER),
        scope=_matching(values["scope"], _SCOPE),
        entry=_matching(values["entry"], _ENTRY),
        by=_matching(values["by"], _BY),
        made=_moment(values["made"]),
        start=None if start is None else _moment(start),
        end=None if end is None else _moment(end),
        boots=None if boots is None else _count(boots),
        exam=_typed(values["exam"], bool),
        used={_matching(pc, _PC): _use(_typed(use, dict)) for pc, use in used.items()},
    )


def _use(values: dict[str, object]) -> Use:
    _need(values.keys() == _USE_KEYS)
    return Use(_count(values["count"]), _moment(values["last"]), _typed(values["by_fetch"], bool))
