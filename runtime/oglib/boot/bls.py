# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot entries as files of their own, and the command line that the next kernel's is made with.

The files of ``loader/entries`` (Fedora, RHEL, systemd-boot) have a line ``options``; kernel-install
takes ``etc/kernel/cmdline`` for new ones.
"""

from __future__ import annotations

import re

from oglib.boot.command_line import adapt_words, difference_text
from oglib.boot.facts import BootFacts
from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.texts import joined

_ENTRIES = "boot/loader/entries"
_CMDLINE = "etc/kernel/cmdline"
_OPTIONS = re.compile(r"options[ \t]", re.ASCII)
_INITRD = re.compile(r"initrd[ \t]", re.ASCII)
_MOST_ENTRIES = 200


def entries(root: Files, facts: BootFacts) -> Check:
    """The command lines in boot/loader/entries."""
    names = [name for name in root.names(_ENTRIES) if name.endswith(".conf")]
    if not names:
        return Check(Need.NOT_NEEDED, "there are none")
    if len(names) > _MOST_ENTRIES:
        return Check(Need.CANNOT, f"{_ENTRIES} has {len(names)} entries, more than any system")
    edits, changes = [], {}
    for path in (f"{_ENTRIES}/{name}" for name in names):
        old = content(root, path)
        if old is None:
            continue  # a link that leads nowhere
        new, changed = adapt_entry(words_of(old), facts)
        edits.append(Edit(path, old, bytes_of(new)))
        changes.update(dict.fromkeys(changed))
    return edited(edits, joined(tuple(changes)))


def command_line(root: Files, facts: BootFacts) -> Check:
    """etc/kernel/cmdline."""
    old = content(root, _CMDLINE)
    if old is None:
        return Check(Need.NOT_NEEDED, "there is none")
    lines = words_of(old).split("\n")
    new = [line if line.startswith("#") else adapt_words(line, facts, own=True) for line in lines]
    changes = [
        difference_text(one, other) for one, other in zip(lines, new, strict=True) if one != other
    ]
    return edited([Edit(_CMDLINE, old, bytes_of("\n".join(new)))], joined(changes))


def adapt_entry(text: str, facts: BootFacts) -> tuple[str, tuple[str, ...]]:
    """One entry for this PC and what changed.

    In a ``/boot`` of its own, which systems may share, what names another filesystem here is left.
    """
    old = text.split("\n")
    by_uuid = any(map(_INITRD.match, old))
    lines, changes = [], []
    for line in old:
        new = line
        if _OPTIONS.match(line):
            new = adapt_words(line, facts, own=facts.boot is None, by_uuid=by_uuid)
        if new != line:
            changes.append(difference_text(line, new))
        lines.append(new)
    return "\n".join(lines), tuple(changes)
