# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel command lines on another PC, wherever they are written: pure text in, text out.

Owns which words name a device of the PC that the image came from, ``root=`` and ``resume=`` and
those of ``rd_words``, and what they have to name here. All other words, blanks and quotes stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from oglib.boot.facts import BootFacts
from oglib.boot.rd_words import adapt_volumes
from oglib.fitting.devices import is_mapped, is_tag, number_of
from oglib.texts import shortened

_ROOT = re.compile(r"(?:(?<=[\s\"'=])|^)root=([^\s\"']+)", re.ASCII)
_RESUME = re.compile(r"(?:(?<=[\s\"'=])|^)resume=([^\s\"']+)", re.ASCII)
_LEFT_OUT = re.compile(r" ?(?:(?<=[\s\"'=])|^)resume=[^\s\"']+", re.ASCII)
_OFFSET = re.compile(r"(?:(?<=[\s\"'=])|^)resume_offset=", re.ASCII)


def adapt_words(line: str, facts: BootFacts, *, own: bool, by_uuid: bool = True) -> str:
    """The line with the devices of this PC.

    ``own``: it starts this system and no other, so that what it names as root is this root.
    ``by_uuid``: an initramfs looks for the root; a bare kernel understands a PARTUUID alone.
    """
    line = _ROOT.sub(lambda found: _root(found, facts, own=own, by_uuid=by_uuid), line)
    return _with_resume(adapt_volumes(line, facts), facts)


def difference_text(old: str, new: str) -> str:
    """What changed between two lines, for a person."""
    before, after = old.split(), new.split()
    gone = shortened(" ".join(_without(before, after)))
    come = shortened(" ".join(_without(after, before)))
    return f"{gone} is now {come or 'left out'}"


def _root(match: re.Match[str], facts: BootFacts, *, own: bool, by_uuid: bool) -> str:
    device, root = match[1], facts.root
    if not (is_tag(device) or is_mapped(device) or number_of(device) is not None):
        return match[0]  # over the network, of a live system: no filesystem of a disk
    if root.is_sure(device, facts.present):
        return match[0]
    if not own and any(one.is_named(device) for one in facts.present):
        return match[0]
    wanted = root.spec if by_uuid else f"PARTUUID={root.partuuid}" if root.partuuid else ""
    return f"root={wanted}" if wanted else match[0]


def _with_resume(line: str, facts: BootFacts) -> str:
    found = _RESUME.search(line)
    if found is None or is_mapped(found[1]):
        return line
    if any(one.is_named(found[1]) for one in facts.present):
        return line  # a swap, or the filesystem of a swap file
    # an offset is that of a swap file, and of the root's where nobody else is known
    wanted = facts.root if _OFFSET.search(line) else next(iter(facts.swaps), None)
    if wanted is None:
        return _LEFT_OUT.sub("", line, count=1)
    return line[: found.start()] + f"resume={wanted.spec}" + line[found.end() :]


def _without(words: Sequence[str], others: Sequence[str]) -> list[str]:
    known = frozenset(others)
    return [word for word in words if word not in known]
