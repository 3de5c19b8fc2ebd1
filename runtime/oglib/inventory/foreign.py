# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a foreign system, made fit to be printed: it may hold what commands a terminal."""

from __future__ import annotations


def one_line(text: str) -> str:
    """``text`` in one line, blanks single, without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
