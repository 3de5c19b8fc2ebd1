# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot entries as files of their own, and the command line that the next kernel's is made with.

The files of ``loader/entries`` (Fedora, RHEL, systemd-boot) have a line ``options``; kernel-install
takes ``etc/kernel/cmdline`` for new ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from oglib.boot.command_line import adapt_words, difference_text
from oglib.boot.facts import BootFacts
from oglib.boot.grub_config import away_text
from oglib.boot.rd_words import told_away
from oglib.errors import OgError
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
    texts = read_entries(root)
    if not texts:
        return Check(Need.NOT_NEEDED, "there are none")
    edits: list[Edit] = []
    changes: dict[str, None] = {}
    away: dict[str, None] = {}
    for name, old in texts.items():
        path = f"{_ENTRIES}/{name}"
        new, changed = adapt_entry(words_of(old), facts)
        edits.append(Edit(path, old, bytes_of(new)))
        changes.update(dict.fromkeys(changed))
        away.update(dict.fromkeys(away_text(new, facts)))
    return _edited(edits, [*changes], away)


def read_entries(root: Files) -> dict[str, bytes]:
    """The files in boot/loader/entries by their names. OgError where no system has so many."""
    names = [name for name in root.names(_ENTRIES) if name.endswith(".conf")]
    if len(names) > _MOST_ENTRIES:
        raise OgError(f"{_ENTRIES} has {len(names)} entries, more than any system")
    texts = {name: content(root, f"{_ENTRIES}/{name}") for name in names}
    return {name: raw for name, raw in texts.items() if raw is not None}  # else a link to nothing


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
    text = "\n".join(new)
    return _edited([Edit(_CMDLINE, old, bytes_of(text))], changes, away_text(text, facts))


def _edited(edits: Sequence[Edit], changes: Sequence[str], away: Iterable[str]) -> Check:
    strange = told_away(away)
    return edited(edits, joined([*changes, *strange]), joined(strange) or "already so")


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
