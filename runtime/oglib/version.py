# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ogLive this is; asked for by itself, for looking it up imports half of Python's library."""

from __future__ import annotations


def version_line() -> str:
    """``og 0.1.0``."""
    from importlib.metadata import version  # noqa: PLC0415

    return f"og {version('oglive')}"
