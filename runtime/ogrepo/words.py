# SPDX-License-Identifier: GPL-3.0-or-later
"""How the repository speaks: one line for a log or a pipe, broken for a terminal."""

from __future__ import annotations

from typing import TextIO

from oglib.wording import columns


def fitted(text: str, stream: TextIO, *, indent: str = "    ") -> str:
    """``text`` as ``stream`` can show it."""
    return "\n".join(columns.broken(text, columns.of(stream), indent=indent))
