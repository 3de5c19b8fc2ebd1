# SPDX-License-Identifier: GPL-3.0-or-later
"""How the repository speaks: one line for a log or a pipe, broken for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from oglib.wording import columns


def fitted(text: str, stream: TextIO, *, indent: str = "    ") -> str:
    """``text`` as ``stream`` can show it."""
    return "\n".join(columns.broken(text, columns.of(stream), indent=indent))


def say(text: str) -> None:
    """A result for a person."""
    print(fitted(text, sys.stdout), flush=True)


def table(rows: Sequence[tuple[str, ...]], most: int | None, spare: Sequence[str]) -> list[str]:
    """Rows under their head, in lines of at most ``most`` columns where that can be.

    ``spare``: what a narrow terminal does without, in this order.
    """
    shown = list(range(len(rows[0])))
    widths = [max(columns.width(row[one]) for row in rows) for one in shown]
    for name in spare:
        if most is None or sum(widths[one] + 2 for one in shown) - 2 <= most:
            break
        shown.remove(rows[0].index(name))
    return ["  ".join(columns.padded(row[one], widths[one]) for one in shown).rstrip()
            for row in rows]  # fmt: skip
