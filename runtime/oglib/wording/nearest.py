# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody may have meant by a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_LONGEST = 80
_MOST = 5000
_ALIKE = 0.6  # of 1: a slip of the finger in a word of three letters, two in one of six


def meant(word: str, known: Iterable[str]) -> str:
    """``Did you mean debian? `` for the beginning of a hint; empty where nothing is near."""
    if not 0 < len(word) <= _LONGEST:
        return ""
    import difflib  # noqa: PLC0415  only who mistyped waits for it

    names = {one.lower(): one for one in islice(known, _MOST) if len(one) <= _LONGEST}
    close = difflib.get_close_matches(word.lower(), names, n=2, cutoff=_ALIKE)
    close = [one for one in close if names[one] != word]
    return f"Did you mean {' or '.join(names[one] for one in close)}? " if close else ""
