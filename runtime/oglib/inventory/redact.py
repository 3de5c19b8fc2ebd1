# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes secrets out of text that leaves the house; pure, and rather too much than too little.

A second line of defence: the report reads an allow-list of files none of which should hold a
secret. Whatever still looks like one (a value behind a telling name, a header, a private key, a
login in a URL, a password hash, an argument of a program) is replaced, and the known secrets of
this PC wherever they stand. It takes time by the length of the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from oglib.inventory.secret_forms import FORMS, HIDE, PLACES, REMOVED
from oglib.inventory.telling import NAME, PROGRAM_OPTIONS, PROGRAMS, QUOTED, READERS, SIGNS

__all__ = ["REMOVED", "redact"]

_SHORTEST_KNOWN = 4  # replacing shorter texts would eat the report
_BELOW_NAME = 4  # lines, the name's own among them, in which its value is looked for
_BELOW_TAG = 64
_BLOCK_LINES = 256

# A name whose value is on the lines below it, deeper: YAML, and JSON in several lines.
_OPENED = re.compile(
    rf"(?i)(?:{NAME}|\bch(?:g)?passwd)[\"']?[ \t]*:[ \t]*"
    r"(?:(?:[|>][-+0-9]{0,2}|[\[{]|![\w!]{0,32}|&[\w-]{1,32})[ \t]*)?$"
)
_BELOW = re.compile(r"([ \t]*(?:-[ \t]+)*(?:[\"']?[\w.-]{1,64}[\"']?[ \t]*:(?:[ \t]+|$))?)(.*)")
_INDENT = re.compile(r"[ \t]*(?:-[ \t]+)*")
_PROGRAM = re.compile(rf"\b(?:{PROGRAMS})\b")
_OPTION = re.compile(rf"((?<!\S)-{PROGRAM_OPTIONS}[ \t]+)({QUOTED}|[^\s\"'-][^\s]*)")
_READER = re.compile(READERS)
_PAIR = re.compile(r"((?<![\w.-])[\w.$-]{1,64}:)(?:[^\s\"'|<>:][^\"'|<>\n]*)")
_ECHO = re.compile(rf"(\b(?:echo|printf)[ \t]+(?:-\w{{1,4}}[ \t]+)?)({QUOTED}|[^\s|\"'][^|\n]*)")
_HERE = re.compile(r"<<-?[ \t]*[\"'\\]?(\w{1,32})")
_HERE_STRING = re.compile(rf"(<<<[ \t]*)({QUOTED}|\S+)")
_PAIRS = re.compile(r"\bch(?:g)?passwd\b|\bnewusers\b")


def redact(text: str, known: Iterable[str] = ()) -> str:
    """``text`` without what is or looks like a secret; ``known`` ones go wherever they stand."""
    spellings = {form for secret in known for form in (secret, quote(secret, safe=""))}
    for secret in sorted(spellings, key=len, reverse=True):
        if len(secret) >= _SHORTEST_KNOWN:
            text = text.replace(secret, REMOVED)
    for sign, pattern, change in FORMS:
        if sign in text:
            text = pattern.sub(change, text)
    return "\n".join(_without_told(text.split("\n")))


def _without_told(lines: list[str]) -> Iterator[str]:
    """The lines without what stands at a telling place; those without any sign as they are.

    Looking for a few short words in many lines at once is a hundred times as fast as all the
    patterns, and most of a log holds none.
    """
    below, given = _Below(), _Given()
    part: list[str] = []
    left = 0
    for at in range(0, len(lines), _BLOCK_LINES):
        block = lines[at : at + _BLOCK_LINES]
        whole = "\n".join(block)
        lower = whole.lower()
        silent = not any(sign in lower for sign in SIGNS) and not _PROGRAM.search(whole)
        if silent and not left and below.over and given.over:
            yield from _replaced(part)
            part = []
            yield whole
            continue
        for line in block:
            one = given.without(below.without(line))
            lower = one.lower()
            if any(sign in lower for sign in SIGNS):
                left = max(left, _BELOW_TAG if "<" in one else _BELOW_NAME)
            if left:
                part.append(one)
                left -= 1
                continue
            yield from _replaced(part)
            part = []
            yield one
    yield from _replaced(part)


def _replaced(lines: Sequence[str]) -> Iterator[str]:
    """Lines of which the first one tells, as one text."""
    if lines:
        text = "\n".join(lines)
        for pattern, change in PLACES:
            text = pattern.sub(change, text)
        yield text


class _Below:
    """Values on the lines below their name: whatever is deeper than it, names in there kept."""

    def __init__(self) -> None:
        self._deeper_than = -1  # the depth of the name; -1: there is none

    @property
    def over(self) -> bool:
        return self._deeper_than < 0

    def without(self, line: str) -> str:
        depth = _depth(line)
        if self._deeper_than >= 0 and line.strip() and depth <= self._deeper_than:
            self._deeper_than = -1
        if self._deeper_than >= 0:
            found = _BELOW.match(line)
            return f"{found[1]}{REMOVED}" if found and found[2] else line
        if _OPENED.search(line):
            self._deeper_than = depth
        return line


def _depth(line: str) -> int:
    found = _INDENT.match(line)
    return found.end() if found else 0


class _Given:
    """Secrets given to a program: behind its option, through a pipe, on the lines below it."""

    def __init__(self) -> None:
        self._until = ""  # the word that ends the lines for a program

    @property
    def over(self) -> bool:
        return not self._until

    def without(self, line: str) -> str:
        if self._until:
            if line.strip() == self._until:
                self._until = ""
                return line
            return _PAIR.sub(HIDE, line)
        if _PROGRAM.search(line):
            line = _OPTION.sub(HIDE, line)
        if not _READER.search(line):
            return line
        if _PAIRS.search(line):
            line = _PAIR.sub(HIDE, line)
            here = _HERE.search(line)
            self._until = here[1] if here else ""
        return _HERE_STRING.sub(HIDE, _ECHO.sub(HIDE, line))
