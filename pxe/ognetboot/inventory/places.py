# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the text of a TOML file each table and each value stands.

`tomllib` tells values without places, and a library that keeps both needs seconds for thousands of
PCs. This reads text that `tomllib` has taken already, in one pass, and judges nothing.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from ognetboot.inventory.faults import Path

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|("(?:[^"\\\n]|\\.)*")|('[^'\n]*'))[ \t]*""")
# Everything that ends where it is seen to end; what begins with [ or { is looked into.
_STRING = re.compile(
    r'"""(?:[^"\\]|\\(?:.|\n)|"(?!"")|""(?!"))*"{3,5}'
    r"|'''(?:[^']|'(?!'')|''(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
# What nearly every line of a large inventory is: a plain key and a plain string.
_PLAIN_PAIR = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*("(?:[^"\\\n]|\\.)*")(?!")')
_SPACE = re.compile(r"[ \t]*")
_WORD = re.compile(r"[^,\]}#\n\r]*")


class Span(NamedTuple):
    """Offsets in the text: where the key or the list's item begins, and its value from, to."""

    start: int
    value: int
    end: int


@dataclass(slots=True)
class Section:
    """What a header begins: offsets of the header, behind it, and behind its last value."""

    start: int
    body: int
    end: int


@dataclass(slots=True)
class Places:
    """Places of all values and headers of one text; paths are those of the faults."""

    text: str
    values: dict[Path, Span] = field(default_factory=dict)
    sections: dict[Path, Section] = field(default_factory=dict)
    _newlines: list[int] = field(default_factory=list)
    _counts: dict[Path, int] = field(default_factory=dict)
    # Tables without a header of their own: where the first one below them begins.
    _within: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """The line, from 1, of the value, or else of the narrowest table around it."""
        for length in range(len(path), 0, -1):
            part = path[:length]
            if part in self.values:
                return self._line(self.values[part].start)
            if part in self.sections:
                return self._line(self.sections[part].start)
            if part in self._within:
                return self._line(self._within[part])
        return 1

    def _line(self, offset: int) -> int:
        if not self._newlines:
            self._newlines = [match.start() for match in re.finditer("\n", self.text)] or [-1]
        return bisect_right(self._newlines, offset - 1) + (self._newlines[0] >= 0)


@lru_cache(maxsize=1)
def values_of(text: str) -> Mapping[str, Any]:
    """What the text says, as `tomllib` reads it; the last text is read once. Not to be changed."""
    return tomllib.loads(text)


def find_places(text: str) -> Places:
    """Read the places of `text`, which is valid TOML."""
    places = Places(text)
    section, path = Section(0, 0, 0), Path()
    places.sections[()] = section
    at = _past_blank(text, 0)
    while at < len(text):
        if text[at] == "[":
            at, section, path = _header(places, at)
        elif plain := _PLAIN_PAIR.match(text, at):
            places.values[*path, plain[1]] = Span(at, *plain.span(2))
            at = section.end = plain.end()
        else:
            at = _pair(places, at, path)
            section.end = at
        at = _past_blank(text, at)
    return places


def _past_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _keys(text: str, at: int) -> tuple[int, list[str]]:
    """A key, dotted or not, and the offset behind it."""
    words: list[str] = []
    while True:
        match = _KEY.match(text, at)
        if match is None:
            raise ValueError(f"no key at offset {at}")
        words.append(match[1] or _unquoted(match[2] or match[3]))
        at = match.end()
        if text[at : at + 1] != ".":
            return at, words
        at += 1


def _unquoted(quoted: str) -> str:
    return str(tomllib.loads(f"x = {quoted}")["x"])


def _resolved(places: Places, words: list[str]) -> Path:
    """Headers below a list of tables mean its last table."""
    path: Path = ()
    for number, word in enumerate(words, 1):
        path = (*path, word)
        if path in places._counts and number < len(words):
            path = (*path, places._counts[path] - 1)
    return path


def _header(places: Places, at: int) -> tuple[int, Section, Path]:
    text, start = places.text, at
    listed = text.startswith("[[", at)
    at, words = _keys(text, at + 1 + listed)
    at += 1 + listed
    path = _resolved(places, words)
    if listed:
        count = places._counts.get(path, 0)
        places._counts[path] = count + 1
        path = (*path, count)
    section = Section(start, at, at)
    places.sections[path] = section
    for length in range(1, len(path)):
        places._within.setdefault(path[:length], start)
    return at, section, path


def _pair(places: Places, at: int, within: Path) -> int:
    start = at
    at, words = _keys(places.text, at)
    if places.text[at : at + 1] != "=":
        raise ValueError(f"no = at offset {at}")
    match = _SPACE.match(places.text, at + 1)
    return _value(places, start, match.end() if match else at + 1, (*within, *words))


def _value(places: Places, start: int, at: int, path: Path) -> int:
    """Keep the value that begins at `at`, and what is inside it; the offset behind it."""
    text = places.text
    first = text[at : at + 1]
    if first == "[":
        end = _list(places, at, path)
    elif first == "{":
        end = _inline(places, at, path)
    else:
        match = _STRING.match(text, at) or _WORD.match(text, at)
        end = match.end() if match else at
        end -= len(text[at:end]) - len(text[at:end].rstrip())
    places.values[path] = Span(start, at, end)
    return end


def _list(places: Places, at: int, path: Path) -> int:
    text, number = places.text, 0
    at = _past_blank(text, at + 1)
    while text[at] != "]":
        at = _past_blank(text, _value(places, at, at, (*path, number)))
        number += 1
        if text[at] == ",":
            at = _past_blank(text, at + 1)
    return at + 1


def _inline(places: Places, at: int, path: Path) -> int:
    text = places.text
    at = _past_blank(text, at + 1)
    while text[at] != "}":
        at = _past_blank(text, _pair(places, at, path))
        if text[at] == ",":
            at = _past_blank(text, at + 1)
    return at + 1
