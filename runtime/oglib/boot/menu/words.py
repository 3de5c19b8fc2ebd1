# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's script as words: as its own lexer parts them, with where each stands. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TOKEN = re.compile(
    r"(?P<blank>(?:[ \t\r]|\\\n)+)"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<end>[\n;&|<>])"
    r"|(?P<open>\{)|(?P<close>\})"
    r"|(?P<word>(?:\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|\$\{[^{}\n]*\}|[^ \t\r\n{}|&;<>'\"\\])+)",
    re.DOTALL,
)
BEFORE_COMMANDS = frozenset(("if", "elif", "then", "else", "while", "until", "do", "!", "time"))
_PIECE = re.compile(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|[^'\"\\]+", re.DOTALL)
_ESCAPED = re.compile(r"\\([$\"\\\n])")


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it stands in the text, from ``start``."""

    raw: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.raw)

    @property
    def value(self) -> str:
        """Without quotes and backslashes; variables stay as they are written."""
        return unquoted(self.raw)


@dataclass(frozen=True, slots=True)
class Command:
    """Words up to the end of a command. ``guarded``: it stands in an ``if`` or loop."""

    words: tuple[Word, ...]
    guarded: bool = False

    def sets(self, name: str) -> Word | None:
        """Its word ``NAME=VALUE``, after ``set`` or by itself; None where it sets another."""
        word = self.words[1] if self.name == "set" and self.words[1:] else self.words[0]
        return word if word.value.startswith(f"{name}=") else None

    @property
    def name(self) -> str:
        return self.words[0].value

    @property
    def start(self) -> int:
        return self.words[0].start

    @property
    def end(self) -> int:
        return self.words[-1].end


def commands_of(text: str) -> tuple[Command, ...]:
    """The commands of a few lines, also in blocks, without ``if`` and the like before them.

    Where a quote never ends, all from there on is one word.
    """
    commands: list[Command] = []
    words: list[Word] = []
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        kind = found.lastgroup if found else "word"
        end = found.end() if found else len(text)
        if kind == "word":
            word = Word(text[at:end], at)
            if words or word.raw not in BEFORE_COMMANDS:
                words.append(word)
        elif kind in ("end", "open", "close") and words:
            commands.append(Command(tuple(words)))
            words = []
        at = end
    return (*commands, Command(tuple(words))) if words else tuple(commands)


def unquoted(raw: str) -> str:
    """A word without its quotes; what GRUB would expand stays as it is written."""
    return "".join(_bare(found[0]) for found in _PIECE.finditer(raw))


def quoted(text: str) -> str:
    """A text as one word that GRUB takes as it is."""
    return "'" + text.replace("'", "'\\''") + "'"


def _bare(piece: str) -> str:
    if piece.startswith("'"):
        return piece[1:-1]
    if piece.startswith('"'):
        return _ESCAPED.sub(lambda found: found[1].strip("\n"), piece[1:-1])
    if piece.startswith("\\"):
        return piece[1:].strip("\n")
    return piece


def value_after(words: Iterator[Word]) -> str:
    """The next word's value; empty where the command ends."""
    word = next(words, None)
    return "" if word is None else word.value
