# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's menu read by its structure: entries, submenus and variables, with where each stands.

Pure: a text in, values out, whose places are offsets into that text. The words are read as GRUB's
own lexer reads them: quotes, backslashes, comments, and braces that open blocks. What is quoted
or named in a hostile menu stays a word; nothing of it is ever run or expanded here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from oglib.boot.menu.search_words import SEARCHES, read_search
from oglib.boot.menu.words import BEFORE_COMMANDS, TOKEN, Command, Word, value_after
from oglib.errors import OgErr, OgError

_MOST_CHARS = 1 << 20
_MOST_DEPTH = 50
_OPENS = frozenset(("if", "while", "until", "for"))
_CLOSES = frozenset(("fi", "done"))
_WITH_VALUE = frozenset(("--class", "--users", "--hotkey", "--source", "--id"))
_ID_OPTION = ("$menuentry_id_option", "${menuentry_id_option}")
_DEVICE = re.compile(r"\((?:on|en|sur|auf|em|a|su) (/dev/[A-Za-z0-9/_.-]+)\)")


@dataclass(frozen=True)
class Entry:
    """A menu entry or submenu: ``text[start:end]`` is all of it, ``brace`` where its block opens.

    ``path``: its numbers as GRUB counts them, outer first. ``guarded``: it stands in an ``if`` or
    loop, which may not be left without a command. ``commands``: those of its block.
    """

    words: tuple[Word, ...]
    brace: int
    path: tuple[int, ...]
    guarded: bool
    end: int = 0
    commands: list[Command] = field(default_factory=list)
    inner: list[Entry] = field(default_factory=list)

    @property
    def start(self) -> int:
        return self.words[0].start

    @property
    def is_submenu(self) -> bool:
        return self.words[0].value == "submenu"

    @cached_property
    def _header(self) -> tuple[str, str, tuple[str, ...]]:
        """Title, id and the names of options."""
        title, named, options = "", "", []
        words = iter(self.words[1:])
        for word in words:
            value = word.value
            name, equals, given = value.partition("=")
            if value in _ID_OPTION:
                named = value_after(words)
            elif value.startswith("--"):
                options.append(name)
                if name in _WITH_VALUE and not equals:
                    given = value_after(words)
                named = given if name == "--id" else named
            else:
                title = title or value
        return title, named, tuple(options)

    @property
    def title(self) -> str:
        return self._header[0]

    @property
    def id(self) -> str:
        """As the menu names it; empty where it does not."""
        return self._header[1]

    @property
    def options(self) -> tuple[str, ...]:
        return self._header[2]

    @property
    def number(self) -> str:
        """``0``, or ``1>2`` within submenus."""
        return ">".join(map(str, self.path))

    def values(self, *names: str) -> Iterator[tuple[str, ...]]:
        """The words of its commands of these names, without the names."""
        for command in self.commands:
            if command.name in names:
                yield tuple(word.value for word in command.words[1:])

    @property
    def device(self) -> str:
        """The device that the title names, as os-prober writes it; empty where it names none."""
        found = _DEVICE.search(self.title)
        return found[1] if found else ""

    @property
    def root(self) -> str:
        """What ``root=`` of its kernel's command line says; empty where it starts no kernel."""
        for words in self.values("linux", "linux16", "linuxefi"):
            for word in words:
                if word.startswith("root="):
                    return word.removeprefix("root=")
        return ""

    @property
    def searched(self) -> str:
        """The UUID of the filesystem that it looks for; empty where it looks for none."""
        for command in self.commands:
            if command.name in SEARCHES:
                found = read_search(command)
                if found.tag == "UUID" and found.name:
                    return found.name.value
        return ""


@dataclass(frozen=True, slots=True)
class Menu:
    """A whole file. ``entries``: the outer ones. ``commands``: all outside of them."""

    text: str
    entries: tuple[Entry, ...]
    commands: tuple[Command, ...]

    @property
    def all_entries(self) -> tuple[Entry, ...]:
        """Every entry and submenu, each before what is in it."""
        return tuple(_walked(self.entries))

    def setting(self, name: str) -> str:
        """The value that this variable is given last whatever happens, else in the first branch.

        Empty where it has no value of its own, but that of another variable.
        """
        found = [(one.guarded, word.value.partition("=")[2]) for one, word in self._set(name)]
        values = [one for one in found if "$" not in one[1]]
        always = [value for guarded, value in values if not guarded]
        return always[-1] if always else next((value for _, value in values), "")

    def settings(self, name: str) -> tuple[Word, ...]:
        """The words ``NAME=VALUE`` of every command that sets a variable outside of entries."""
        return tuple(word for _, word in self._set(name))

    def always_set(self, name: str) -> Word | None:
        """The last of them that stands in no ``if`` or loop."""
        return next((word for one, word in reversed(self._set(name)) if not one.guarded), None)

    def _set(self, name: str) -> list[tuple[Command, Word]]:
        found = ((command, command.sets(name)) for command in self.commands)
        return [(command, word) for command, word in found if word is not None]


def read_menu(text: str, called: str = "grub.cfg") -> Menu:
    """The menu in a text. OgError where its quotes or blocks do not close, or it is too large."""
    if len(text) > _MOST_CHARS:
        raise _not_read(called, f"it has {len(text)} characters, more than a menu has")
    reader = _Reader(called)
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise _not_read(called, f"a quote in line {text.count(chr(10), 0, at) + 1} never ends")
        reader.take(found)
        at = found.end()
    return reader.done(text)


class _Reader:
    """What is open while the tokens come by: the words of a command, and blocks in blocks."""

    def __init__(self, called: str) -> None:
        self.called = called
        self.words: list[Word] = []
        self.open: list[Entry | None] = []  # None: a block that is no entry (a function)
        self.entries: list[Entry] = []
        self.commands: list[Command] = []
        self.guards = 0

    def take(self, token: re.Match[str]) -> None:
        match token.lastgroup:
            case "word":
                self.words.append(Word(token[0], token.start()))
            case "end":
                self._command()
            case "open":
                self._opened(token.start())
            case "close":
                self._closed(token.end())

    def done(self, text: str) -> Menu:
        self._command()
        if self.open:
            raise _not_read(self.called, "a block is opened and never closed")
        return Menu(text, tuple(self.entries), tuple(self.commands))

    def _head(self) -> list[Word]:
        """The words from a command's name on."""
        words, self.words = self.words, []
        while words and words[0].raw in BEFORE_COMMANDS:
            self.guards += words[0].raw in _OPENS
            words = words[1:]
        return words

    def _command(self) -> None:
        words = self._head()
        if not words:
            return
        self.guards += words[0].raw in _OPENS
        self.guards = max(0, self.guards - (words[0].raw in _CLOSES))
        inside = self.open[-1] if self.open else None
        command = Command(tuple(words), self.guards > 0)
        if inside is not None:
            inside.commands.append(command)
        elif not self.open:
            self.commands.append(command)

    def _opened(self, brace: int) -> None:
        words = self._head()
        if len(self.open) >= _MOST_DEPTH:
            raise _not_read(self.called, "its blocks are nested too deep")
        if not words or words[0].value not in ("menuentry", "submenu") or None in self.open:
            self.open.append(None)
            return
        outer = self.open[-1] if self.open else None
        beside = self.entries if outer is None else outer.inner
        path = (*(outer.path if outer else ()), len(beside))
        entry = Entry(tuple(words), brace, path, guarded=self.guards > 0)
        beside.append(entry)
        self.open.append(entry)

    def _closed(self, end: int) -> None:
        self._command()
        if not self.open:
            raise _not_read(self.called, "a block is closed that was never opened")
        if (entry := self.open.pop()) is not None:
            object.__setattr__(entry, "end", end)


def _walked(entries: Sequence[Entry]) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        yield from _walked(entry.inner)


def _not_read(called: str, why: str) -> OgError:
    return OgError(
        f"{called} is not understood: {why}.",
        hint="Nothing was written. Run update-grub in the system, or mend it there.",
        code=OgErr.NOTWRITE,
    )
