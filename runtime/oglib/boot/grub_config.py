# SPDX-License-Identifier: GPL-3.0-or-later
"""grub.cfg, grubenv and /etc/default/grub on another PC: pure text in, text out.

Only what the system's own generator wrote for itself is touched, not its entries for other systems.
A menu without the generator's marks was written by a person: there, what names another filesystem
of this PC is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oglib.boot.command_line import adapt_words, difference_text
from oglib.boot.facts import BootFacts
from oglib.boot.menu.edits import Cut, applied
from oglib.boot.menu.words import commands_of
from oglib.boot.rd_words import not_here
from oglib.boot.search import adapt_searches

_BEGIN = re.compile(r"### BEGIN /etc/grub\.d/(\S+) ###", re.ASCII)
_END = re.compile(r"### END /etc/grub\.d/\S+ ###", re.ASCII)
# Of the system itself: its kernels, and what looks for fonts and tools of its own.
_KERNELS = re.compile(r"\d+_linux\w*", re.ASCII)
_TOOLS = re.compile(r"00_header|05_\w+|\d+_memtest\S*", re.ASCII)
_KERNEL = re.compile(r"linux(16|efi)?", re.ASCII)
_INITRD = re.compile(r"initrd(16|efi)?|blscfg", re.ASCII)
_OPTIONS = re.compile(r"\s*(set\s+)?(kernelopts|default_kernelopts)=", re.ASCII)
_DEFAULTS = re.compile(r"GRUB_CMDLINE_LINUX\w*\+?=", re.ASCII)
# A newline behind a backslash goes on with the line, but for a comment, which ends there.
_LINE = re.compile(r"(?:[^\\\n#]++|\\(?:[\s\S]|\Z)|#[^\n]*+)*+")
_ENVIRONMENT_BYTES = 1024  # of grubenv: GRUB writes into it in place, so it never has another size


@dataclass(frozen=True, slots=True)
class _Section:
    """What a line of the menu belongs to."""

    kernels: bool = True
    tools: bool = False
    marked: bool = False


def adapt_config(text: str, facts: BootFacts) -> tuple[str, tuple[str, ...]]:
    """grub.cfg for this PC and what changed."""
    # Patterns are asked line by line: over a text of blank lines one that begins with blanks would
    # look at each of them again from each. A newline alone ends a line.
    old_lines = _lines(text)
    by_uuid = any(  # else no UUID is understood
        _INITRD.fullmatch(one.name) for line in old_lines for one in commands_of(line)
    )
    changes: dict[str, None] = {}
    lines = []
    for number, (line, section) in enumerate(zip(old_lines, _sections(old_lines), strict=True)):
        new = _adapted(old_lines, number, section, facts, by_uuid=by_uuid)
        if new != line:
            changes[difference_text(line, new)] = None
        lines.append(new)
    return "\n".join(lines), tuple(changes)


def away_config(text: str, facts: BootFacts) -> tuple[str, ...]:
    """What the system's own command lines in grub.cfg name and is not on this PC."""
    lines = _lines(text)
    own = (line for line, section in zip(lines, _sections(lines), strict=True) if section.kernels)
    return away_text("\n".join(own), facts)


def away_text(text: str, facts: BootFacts) -> tuple[str, ...]:
    """The same of a text that is all the system's own; comments say nothing."""
    own = (line for line in text.split("\n") if not line.lstrip().startswith("#"))
    return tuple(dict.fromkeys(word for line in own for word in not_here(line, facts)))


def _sections(lines: Sequence[str]) -> Iterator[_Section]:
    """What each line belongs to."""
    marked = any((found := _BEGIN.match(line)) and _KERNELS.fullmatch(found[1]) for line in lines)
    outside = section = _Section(kernels=not marked)
    for line in lines:
        if begins := _BEGIN.match(line):
            ours = bool(_KERNELS.fullmatch(begins[1]))
            section = _Section(ours, bool(_TOOLS.fullmatch(begins[1])), marked=True)
        elif _END.match(line):
            section = outside
        yield section


def _lines(text: str) -> list[str]:
    lines: list[str] = []
    at = 0
    while (found := _LINE.match(text, at)) and found.end() < len(text):
        lines.append(found[0])
        at = found.end() + 1
    return [*lines, text[at:]]


def _adapted(
    lines: list[str], number: int, section: _Section, facts: BootFacts, *, by_uuid: bool
) -> str:
    line = lines[number]
    if not (section.kernels or section.tools):
        return line
    own = section.kernels and section.marked
    line = adapt_searches(line, lines[number + 1 : number + 10], facts, own=own)
    cuts = []
    for command in commands_of(line):
        words = line[command.start : command.end]
        if _OPTIONS.match(words):
            by_name = section.tools or by_uuid
            words = adapt_words(words, facts, own=own or section.tools, by_uuid=by_name)
        elif section.kernels and _KERNEL.fullmatch(command.name):
            words = adapt_words(words, facts, own=own, by_uuid=by_uuid)
        cuts.append(Cut(command.start, command.end, words))
    return applied(line, cuts)


def adapt_defaults(text: str, facts: BootFacts) -> tuple[str, tuple[str, ...]]:
    """/etc/default/grub, so that the system's next update-grub keeps what was put right."""
    lines = []
    changes = []
    for line in text.split("\n"):
        cuts = []
        for command in commands_of(line):  # the shell parts words as GRUB does
            words = line[command.start : command.end]
            if _DEFAULTS.match(words):
                cuts.append(Cut(command.start, command.end, adapt_words(words, facts, own=True)))
        new = applied(line, cuts)
        if new != line:
            changes.append(difference_text(line, new))
        lines.append(new)
    return "\n".join(lines), tuple(changes)


def adapt_environment(text: str, facts: BootFacts) -> tuple[str, tuple[str, ...]]:
    """grubenv, where RHEL 8 keeps the command line; it is left where it would not fit any more."""
    lines = []
    changes = []
    for line in text.rstrip("#").split("\n"):
        new = adapt_words(line, facts, own=True) if _OPTIONS.match(line) else line
        if new != line:
            changes.append(difference_text(line, new))
        lines.append(new)
    new_text = "\n".join(lines)
    size = len(new_text.encode("utf-8", "surrogateescape"))
    if not changes or size > _ENVIRONMENT_BYTES:
        return text, ()
    return new_text + "#" * (_ENVIRONMENT_BYTES - size), tuple(changes)
