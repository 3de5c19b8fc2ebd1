# SPDX-License-Identifier: GPL-3.0-or-later
"""What the words of GRUB's ``search`` mean: what it looks for, and the places that it tries first.

Pure. As GRUB reads them: its options stand before or behind the name, which is the first word that
is none of them and not the value of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oglib.boot.menu.words import Command, Word

SEARCHES = ("search", "search.fs_uuid")
_LONG = {"--fs-uuid": "UUID", "--label": "LABEL", "--file": "FILE"}
_SHORT = {"u": "UUID", "l": "LABEL", "f": "FILE"}
_VALUE_BEHIND = "sh"  # the letters of --set and --hint
_OF_A_DISK = "hd"


@dataclass(frozen=True, slots=True)
class Search:
    """``tag``: ``UUID``, ``LABEL``, ``FILE``, or empty; ``by``: the word that says so.

    ``name``: what is looked for. ``hints``: the words that name a place.
    """

    tag: str
    name: Word | None
    by: Word | None = None
    hints: tuple[Word, ...] = ()


def read_search(command: Command) -> Search:
    """The meaning of a command whose name is one of ``SEARCHES``."""
    words = command.words[1:]
    if command.name == "search.fs_uuid":
        return Search("UUID", words[0] if words else None, hints=_places(words[1:]))
    tag, by = "", None
    names: list[Word] = []
    hints: list[Word] = []
    at = 0
    while at < len(words):
        word, value = words[at], words[at].value
        at += 1
        if value == "--":
            names += words[at:]
            break
        if value.startswith("--hint"):
            behind = "=" not in value and at < len(words)
            at += behind
            hints.append(words[at - 1])
        elif value.startswith("-") and value != "-":
            found = _tag(value)
            tag, by = (found, word) if found else (tag, by)
            at += _takes_next(value, words[at : at + 1])
            hints += _places(words[at - 1 : at])
        else:
            names.append(word)
    return Search(tag, next(iter(names), None), by, (*hints, *_places(names[1:])))


def _tag(option: str) -> str:
    if option.startswith("--"):
        return _LONG.get(option, "")
    return next((_SHORT[letter] for letter in option[1:] if letter in _SHORT), "")


def _takes_next(option: str, following: Sequence[Word]) -> bool:
    """Whether the word behind letters is the value of the last one of them."""
    if option.startswith("--") or option[-1] not in _VALUE_BEHIND or not following:
        return False
    return option[-1] == "h" or not following[0].value.startswith("-")


def _places(words: Sequence[Word]) -> tuple[Word, ...]:
    return tuple(word for word in words if word.value.startswith(_OF_A_DISK))
