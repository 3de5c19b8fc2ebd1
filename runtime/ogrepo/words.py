# SPDX-License-Identifier: GPL-3.0-or-later
"""How the repository speaks: one line for a log or a pipe, folded for a terminal."""

from __future__ import annotations

import shutil
import textwrap
from typing import TextIO

_LEAST_COLUMNS = 20


def fitted(text: str, stream: TextIO, *, indent: str = "  ") -> str:
    """``text`` as ``stream`` can show it; a word that is longer than a line stays whole."""
    if not stream.isatty():
        return text
    columns = max(_LEAST_COLUMNS, shutil.get_terminal_size().columns - 1)
    return textwrap.fill(
        text,
        columns,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
        replace_whitespace=False,
    )


def columns_of(stream: TextIO) -> int | None:
    """How wide a terminal is; None for what is no terminal and takes any line."""
    return shutil.get_terminal_size().columns - 1 if stream.isatty() else None
