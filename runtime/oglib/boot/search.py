# SPDX-License-Identifier: GPL-3.0-or-later
"""How GRUB finds a filesystem on another PC: its ``search`` lines, their hints, ``set root=``.

Pure text in, text out. ``search`` sets a variable to the filesystem with a UUID or label; where a
hint is right it is found at once, and ``set root=`` holds where it is not found at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from oglib.boot.facts import BootFacts
from oglib.boot.menu.edits import Cut, applied
from oglib.boot.menu.search_words import SEARCHES, Search, read_search
from oglib.boot.menu.words import Command, Word, commands_of
from oglib.fitting.devices import Known

_ROOT_PLACE = re.compile(r"root=['\"(]*[a-z]+\d+,(?:msdos|gpt)?\d+", re.ASCII)
_PLACE = re.compile(r",(?:msdos|gpt)?\d{1,4}(?=['\")]*$)", re.ASCII)
_LABEL_OPTION = "--label"
_MOST_LINES_BETWEEN = 8


def adapt_searches(line: str, following: Sequence[str], facts: BootFacts, *, own: bool) -> str:
    """A line that looks for what is here, and ``set root='hd0,msdos1'`` as a search finds it.

    ``following``: the lines behind it. ``own``: it looks for what GRUB starts from.
    """
    changes: dict[Word, str] = {}
    places: list[Word] = []  # whose search is still to come
    for command in commands_of(line):
        if command.name in SEARCHES:
            search = read_search(command)
            changes |= _adapted(search, facts, own=own)
            changes |= _placed(places, _meant(search, facts, own=own), facts)
            places = []
        elif place := _place_in(command):
            places.append(place)
    if places:
        changes |= _placed(places, _searched(following, facts, own=own), facts)
    return applied(line, [Cut(word.start, word.end, new) for word, new in changes.items()])


def _adapted(search: Search, facts: BootFacts, *, own: bool) -> dict[Word, str]:
    """The words of a search that are others here."""
    wanted = _meant(search, facts, own=own)
    if wanted is None or search.name is None:
        return {}
    changes = {word: _at(word.raw, wanted, facts) for word in search.hints}
    if not wanted.is_sure(_spec(search), facts.present) and wanted.uuid:
        changes[search.name] = wanted.uuid
        if search.by and search.tag == "LABEL":
            changes[search.by] = _by_uuid(search.by)
    return changes


def _by_uuid(option: Word) -> str:
    """``--label`` or letters with an ``l`` among them, as what looks for a UUID."""
    long = option.value in (_LABEL_OPTION, "-l")
    return "--fs-uuid" if long else option.value.replace("l", "u", 1)


def _place_in(command: Command) -> Word | None:
    """The word of a ``set`` that sets ``root`` by the place of a partition."""
    if command.name != "set" or len(command.words) != 2:
        return None
    word = command.words[1]
    return word if _ROOT_PLACE.match(word.raw) else None


def _placed(places: Sequence[Word], wanted: Known | None, facts: BootFacts) -> dict[Word, str]:
    return {place: _at(place.raw, wanted, facts) for place in places} if wanted else {}


def _searched(following: Sequence[str], facts: BootFacts, *, own: bool) -> Known | None:
    """What the next search looks for; where there is none what GRUB starts from, if ``own``."""
    for line in following[:_MOST_LINES_BETWEEN]:
        for command in commands_of(line):
            if command.name in SEARCHES:
                return _meant(read_search(command), facts, own=own)
            if command.name.startswith(("menuentry", "linux")):
                return facts.start if own else None
        if line.strip() == "}":
            break
    return facts.start if own else None


def _at(word: str, wanted: Known, facts: BootFacts) -> str:
    """The word with the number of the partition, as GRUB writes it, at its end."""
    if not wanted.number:
        return word
    return _PLACE.sub(f",{facts.table}{wanted.number}", word)


def _meant(search: Search, facts: BootFacts, *, own: bool) -> Known | None:
    """The filesystem that is looked for; None where it is another one here, or nobody can tell."""
    if search.name is None or search.tag not in ("UUID", "LABEL") or "$" in search.name.raw:
        return None
    if own:
        return facts.start
    spec = _spec(search)
    here = [one for one in (facts.start, facts.root) if one.is_named(spec)]
    if not here and any(one.is_named(spec) for one in facts.present):
        return None
    return here[0] if here else facts.start


def _spec(search: Search) -> str:
    return f"{search.tag}={search.name.value if search.name else ''}"
