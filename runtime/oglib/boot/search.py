# SPDX-License-Identifier: GPL-3.0-or-later
"""How GRUB finds a filesystem on another PC: its ``search`` lines, their hints, ``set root=``.

Pure text in, text out. ``search`` sets a variable to the filesystem with a UUID or label; where a
hint is right it is found at once, and ``set root=`` holds where it is not found at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from oglib.boot.facts import BootFacts
from oglib.fitting.devices import Known

_SEARCH = re.compile(r"\s*search(?:\.fs_uuid)?\s", re.ASCII)
_SET_ROOT = re.compile(r"\s*set\s+root=['\"(]*[a-z]+\d+,(?:msdos|gpt)?\d+", re.ASCII)
_PLACE = re.compile(r",(?:msdos|gpt)?\d{1,4}(?=['\")]*$)", re.ASCII)
_BLANKS = re.compile(r"(\s+)")
_BY_UUID = ("--fs-uuid", "-u")
_BY_LABEL = ("--label", "-l")
_MOST_LINES_BETWEEN = 8


def is_search(line: str) -> bool:
    """Whether the line looks for a filesystem."""
    return bool(_SEARCH.match(line))


def is_place(line: str) -> bool:
    """Whether the line sets ``root`` by the place of a partition."""
    return bool(_SET_ROOT.match(line))


def adapt_search(line: str, facts: BootFacts, *, own: bool) -> str:
    """A search line that looks for what is here. ``own``: it looks for what GRUB starts from."""
    pieces = _BLANKS.split(line)
    at = _value_at(pieces)
    if at < 0:
        return line
    wanted = _meant(pieces, at, facts, own=own)
    if wanted is None:
        return line
    tag = _tag(pieces)
    if not wanted.is_sure(f"{tag}={_bare(pieces[at])}", facts.present) and wanted.uuid:
        pieces[at] = wanted.uuid
        pieces = ["--fs-uuid" if piece in _BY_LABEL else piece for piece in pieces]
    return "".join(_hinted(piece, wanted, facts) for piece in pieces)


def adapt_place(line: str, following: Sequence[str], facts: BootFacts, *, own: bool) -> str:
    """``set root='hd0,msdos1'`` as the search behind it will find it."""
    for other in following[:_MOST_LINES_BETWEEN]:
        if is_search(other):
            pieces = _BLANKS.split(adapt_search(other, facts, own=own))
            at = _value_at(pieces)
            wanted = _meant(pieces, at, facts, own=own) if at >= 0 else None
            return _at(line, wanted, facts) if wanted else line
        if other.strip() == "}" or other.lstrip().startswith(("menuentry", "linux")):
            break
    return _at(line, facts.start, facts) if own else line


def _at(line: str, wanted: Known, facts: BootFacts) -> str:
    """The line with the number of the partition, as GRUB writes it, at its end."""
    bare = line.rstrip()
    if not wanted.number:
        return line
    return _PLACE.sub(f",{facts.table}{wanted.number}", bare) + line[len(bare) :]


def _hinted(piece: str, wanted: Known, facts: BootFacts) -> str:
    is_hint = piece.startswith(("--hint", "hd"))
    return _at(piece, wanted, facts) if is_hint else piece


def _meant(pieces: Sequence[str], at: int, facts: BootFacts, *, own: bool) -> Known | None:
    """The filesystem that is looked for; None where it is another one that is here."""
    spec = f"{_tag(pieces)}={_bare(pieces[at])}"
    if own:
        return facts.start
    here = [one for one in (facts.start, facts.root) if one.is_named(spec)]
    if not here and any(one.is_named(spec) for one in facts.present):
        return None
    return here[0] if here else facts.start


def _value_at(pieces: Sequence[str]) -> int:
    """Where what is looked for is written; -1 where it is no UUID and no label."""
    words = [at for at, piece in enumerate(pieces) if piece and not piece.isspace()]
    if pieces[words[0]] == "search.fs_uuid":
        return words[1] if len(words) > 1 else -1
    if not any(piece in (*_BY_UUID, *_BY_LABEL) for piece in pieces):
        return -1
    last = words[-1]
    return -1 if pieces[last].startswith("-") or "$" in pieces[last] else last


def _tag(pieces: Sequence[str]) -> str:
    return "LABEL" if any(piece in _BY_LABEL for piece in pieces) else "UUID"


def _bare(word: str) -> str:
    return word.strip("\"'")
