# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in the columns of a terminal: how wide it is shown, cut or broken to fit.

A letter of Chinese or Japanese takes two columns, an accent that follows its letter none. What
goes to a file or a program has no columns: there nothing is cut and nothing broken.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator

TYPE_CHECKING = False  # to checkers it is true; typing itself is a good part of a short command
if TYPE_CHECKING:
    from typing import TextIO

USUAL = 80
_FEWEST = 20  # a terminal that says less does not know its size
_MOST = 1000
_ELLIPSIS = "…"
_WIDE = ("W", "F")
_NO_WIDTH = ("Mn", "Me", "Cf")


def of(stream: TextIO) -> int | None:
    """The columns of the terminal that ``stream`` writes to; None where it is no terminal."""
    try:
        if not stream.isatty():
            return None
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    return columns if _FEWEST <= columns <= _MOST else USUAL


def width(text: str) -> int:
    """How many columns ``text`` takes."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def cut(text: str, columns: int) -> str:
    """``text``, or its beginning and ``…`` where it is wider than ``columns``."""
    if width(text) <= columns:
        return text
    return f"{_head(text, max(0, columns - 1))}{_ELLIPSIS}"


def padded(text: str, columns: int) -> str:
    """``text`` with blanks behind it, up to ``columns``."""
    return text + " " * max(0, columns - width(text))


def broken(text: str, columns: int | None, *, indent: str = "") -> list[str]:
    """``text`` in lines of at most ``columns``, broken at blanks; ``indent`` begins all but one.

    A word that is wider than a line, a path for example, is broken where the line ends. Blanks
    inside a line, and those it begins with, stay.
    """
    if columns is None or width(text) <= columns:
        return [text]
    return list(_lines(text, columns, indent if len(indent) < columns // 2 else ""))


def _lines(text: str, columns: int, indent: str) -> Iterator[str]:
    while width(text) > columns:
        head = _head(text, columns)
        begins = len(text) - len(text.lstrip(" "))
        at = len(head) if text[len(head)] == " " else head.rfind(" ")
        if at <= begins:  # one word fills the line
            at = len(head)
        yield text[:at].rstrip()
        text = indent + text[at:].lstrip(" ")
    yield text


def _head(text: str, columns: int) -> str:
    """The longest beginning that takes at most ``columns``."""
    room = columns
    for at, letter in enumerate(text):
        room -= _width_of(letter)
        if room < 0:
            return text[:at]
    return text


def _width_of(letter: str) -> int:
    if letter.isascii():
        return 1
    if unicodedata.category(letter) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in _WIDE else 1
