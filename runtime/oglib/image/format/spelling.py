# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that is signed: exactly one spelling, exactly the fields of a dataclass.

``check_spelling`` refuses bytes that the writer would not have written, so nothing is ever read
that the signature does not cover. What the fields mean is for the owner of the dataclass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints

from oglib.errors import ImageError


def spelled(data: Mapping[str, Any]) -> bytes:
    """The one spelling: sorted keys, two blanks of indent, UTF-8, a final newline."""
    text = json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True)
    return text.encode("utf-8", "strict") + b"\n"


def parsed(raw: bytes, *, what: str, form: str, limit_bytes: int) -> dict[str, Any]:
    """The object in ``raw``, whose ``format`` is ``form``; ``what`` names it in errors."""
    if len(raw) > limit_bytes:
        raise ImageError(f"The {what} has {len(raw)} bytes, more than one can have.")
    try:
        data = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ImageError(
            f"The {what} is not JSON.", hint="Is this the answer of a web proxy or portal?"
        ) from None
    if not isinstance(data, dict) or data.get("format") != form:
        raise ImageError(f"The {what} is not one of format {form}.")
    return data


def check_fields(
    data: Mapping[str, object],
    kind: type,
    *,
    what: str,
    int_limit: int,
    prefix: str = "",
    optional: frozenset[str] = frozenset(),
) -> None:
    """Raise ``ImageError`` unless ``data`` has exactly the fields of ``kind`` with their types.

    Numbers are 0 or more and below ``int_limit``; a field of ``optional`` may be left out.
    """
    wanted = {each.name for each in fields(kind)} - (optional - set(data))
    if set(data) != wanted:
        odd = ", ".join(sorted(prefix + str(name) for name in set(data) ^ wanted))
        raise ImageError(f"The {what} lacks or adds fields: {odd:.200}.")
    hints = get_type_hints(kind)
    for name in wanted:
        if not _is_of(data[name], hints[name], int_limit):
            raise ImageError(f"The {what}'s field {prefix}{name} has a wrong value.")


def _is_of(value: object, hint: Any, int_limit: int) -> bool:
    """Whether JSON's ``value`` can become a ``hint``; dataclasses come as objects."""
    if get_origin(hint) is tuple:
        each = str if get_args(hint)[0] is str else dict
        return isinstance(value, list) and all(isinstance(one, each) for one in value)
    if hint is bool:
        return type(value) is bool
    if hint is int:
        return type(value) is int and 0 <= value < int_limit
    return isinstance(value, str if issubclass(hint, str) else dict)


def check_spelling(again: Callable[[], bytes], raw: bytes, *, what: str) -> None:
    """Raise ``ImageError`` unless ``again`` writes ``raw``."""
    try:
        same = again() == raw
    except UnicodeEncodeError:
        same = False
    if not same:
        raise ImageError(f"The {what} is not spelled as its format demands.")
