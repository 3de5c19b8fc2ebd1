# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a foreign shell file: which of them are whole commands by themselves. Pure.

It errs to one side alone: what is not understood makes a line no whole one, never the reverse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUOTES = "'\"`"
_BEFORE_COMMENT = " \t;&|()"
_OPENS = frozenset(("if", "case", "for", "while", "until", "select", "{"))
_CLOSES = frozenset(("fi", "esac", "done", "}"))
_PARTED = re.compile(r"[\s;&|()]+")


@dataclass(frozen=True, slots=True)
class Line:
    """``code``: without its comment; ``bare``: that without what is quoted.

    ``whole``: no quote, block, bracket or continued line reaches into it or out of it.
    """

    raw: str
    code: str
    bare: str
    whole: bool


def lines_of(text: str) -> tuple[tuple[Line, ...], bool]:
    """Every line, and whether the text leaves nothing open at its end."""
    scan = _Scan()
    lines = tuple(scan.line(raw) for raw in text.split("\n"))
    return lines, not scan.is_open


class _Scan:
    def __init__(self) -> None:
        self.quote = ""
        self.brackets = 0
        self.blocks = 0
        self.continued = False

    @property
    def is_open(self) -> bool:
        return bool(self.quote or self.brackets or self.blocks or self.continued)

    def line(self, raw: str) -> Line:
        before = self.is_open
        bare, end = self._walked(raw)
        words = _PARTED.split(bare)
        self.blocks += sum((word in _OPENS) - (word in _CLOSES) for word in words)
        return Line(raw, raw[:end], bare, not before and not self.is_open)

    def _walked(self, raw: str) -> tuple[str, int]:
        """What is outside of quotes, and where the comment begins or the line ends."""
        joined, self.continued = self.continued, False
        bare = []
        at = 0
        while at < len(raw):
            char = raw[at]
            if char == "\\" and self.quote != "'":
                self.continued = at + 1 == len(raw)
                at += 2
                continue
            if self.quote:
                self.quote = "" if char == self.quote else self.quote
            elif char in _QUOTES:
                self.quote = char
            elif char == "#" and (raw[at - 1] in _BEFORE_COMMENT if at else not joined):
                break
            else:
                self.brackets += (char == "(") - (char == ")")
                bare.append(char)
            at += 1
        return "".join(bare), min(at, len(raw))
