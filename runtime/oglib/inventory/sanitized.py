# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a foreign system, made fit to be printed: it may hold what commands a terminal."""

from __future__ import annotations

from oglib.texts import shortened

_MOST_CHARS = 512  # of a name or a version


def one_line(text: str) -> str:
    """The beginning of ``text`` in one line, blanks single, without control characters."""
    seen = text[: 4 * _MOST_CHARS]
    line = " ".join("".join(char if char.isprintable() else " " for char in seen).split())
    return shortened(line, _MOST_CHARS)
