# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu of GRUB legacy (CentOS 6, SLES 11) on another PC: pure text in, text out.

No such GRUB is installed: ogLive's own reads its menu (``legacy_configfile``), which numbers
partitions from 0. Entries are written by programs and by persons alike, without any mark, so what
names another filesystem of this PC is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from oglib.boot.command_line import adapt_words, difference_text
from oglib.boot.facts import BootFacts

# What makes ogLive's GRUB show that menu, where there is no grub.cfg.
INSTEAD = """\
# ogLive: the menu of this system is that of GRUB legacy
insmod legacycfg
legacy_configfile $prefix/{menu}
"""
_TITLE = re.compile(r"[ \t]*title\b", re.ASCII)
_KERNEL = re.compile(r"[ \t]*kernel[ \t]", re.ASCII)
_INITRD = re.compile(r"[ \t]*initrd[ \t]", re.ASCII)
_WITH_PLACE = re.compile(r"([ \t]*(?:root|kernel|initrd)[ \t]+\(hd\d{1,3},)\d{1,4}(?=\))", re.ASCII)
_ROOT = re.compile(r"[ \t]root=([^\s\"']+)", re.ASCII)


def adapt_legacy(text: str, facts: BootFacts) -> tuple[str, tuple[str, ...]]:
    """menu.lst for this PC and what changed."""
    lines: list[str] = []
    changes: dict[str, None] = {}
    for section in _sections(text.split("\n")):
        new = _adapted(section, facts)
        changes |= {
            difference_text(one, other): None
            for one, other in zip(section, new, strict=True)
            if one != other
        }
        lines += new
    return "\n".join(lines), tuple(changes)


def _sections(lines: list[str]) -> Iterator[list[str]]:
    """What stands before the first title, and each entry with its title."""
    section: list[str] = []
    for line in lines:
        if _TITLE.match(line):
            yield section
            section = []
        section.append(line)
    yield section


def _adapted(section: list[str], facts: BootFacts) -> list[str]:
    by_uuid = any(map(_INITRD.match, section))
    new = [
        adapt_words(line, facts, own=False, by_uuid=by_uuid) if _KERNEL.match(line) else line
        for line in section
    ]
    roots = [found[1] for line in new if _KERNEL.match(line) and (found := _ROOT.search(line))]
    if not facts.start.number or not any(map(facts.root.is_named, roots)):
        return new
    place = facts.start.number - 1
    return [_WITH_PLACE.sub(rf"\g<1>{place}", line) for line in new]
