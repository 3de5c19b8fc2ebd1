# SPDX-License-Identifier: GPL-3.0-or-later
"""One old command as data: argument shapes, the call, and how its answer is shown.

A call returns text (printed as one line, nothing when empty), a bool (exit code 0 or 1, as shell
tests; ``text or False`` where scripts take 1 for "none"), an exit code of its own, or nothing. What
fails raises OgError, whose number is the exit code. Old names never ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from oglib.errors import UsageError
from oglib.shim.names import MODULE_OF

Answer = str | bool | int | None
_MOST_DIGITS = 18
FREE = 10_000  # at_most of commands whose last words are free text


@dataclass(frozen=True, slots=True)
class Command:
    """``call`` gets exactly the words after the name; ``at_least``/``at_most`` count them.

    ``usage`` is the argument part as ``help`` shows it, ``example`` a full line; ``does`` one
    sentence. ``better``: what differs from the old engine, empty when nothing does. ``status``:
    what became of one that does not do its work here, ``retired`` or ``not yet``.
    """

    name: str
    usage: str
    does: str
    call: Callable[[Sequence[str]], Answer]
    at_least: int = 0
    at_most: int = 0
    example: str = ""
    better: str = ""
    status: str = ""

    def help(self) -> str:
        """What ``NAME help`` prints."""
        lines = [
            f"Function {self.name}: {self.does}",
            f"  Usage: {self.name} {self.usage}".rstrip(),
        ]
        return "\n".join([*lines, f"  Example: {self.example}"] if self.example else lines)

    def is_help(self, words: Sequence[str]) -> bool:
        """Whether help is asked for; free text may itself begin with that word."""
        return words[:1] == ["help"] and (len(words) == 1 or self.at_most < FREE)

    def run(self, words: Sequence[str]) -> Answer:
        """Check the count of arguments (OG_ERR_FORMAT) and call."""
        if not self.at_least <= len(words) <= self.at_most:
            raise UsageError(
                f"{self.name} was given {len(words)} arguments.",
                hint=f"Usage: {self.name} {self.usage}".rstrip() + ".",
            )
        return self.call(words)


def command_of(name: str) -> Command:
    """The command called ``name``, which must be one of ``MODULE_OF``; imports only its module."""
    table: dict[str, Command] = import_module(f"oglib.shim.{MODULE_OF[name]}").COMMANDS
    return table[name]


def positive(word: str, what: str) -> int:
    """A number of a disk or partition; anything else is OG_ERR_FORMAT."""
    if not word.isascii() or not word.isdecimal() or len(word) > _MOST_DIGITS or int(word) < 1:
        raise UsageError(f"{what} must be a positive whole number, not {word!r}.")
    return int(word)
