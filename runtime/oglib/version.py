# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ogLive this is: the one place that says so; the packages take it from here."""

from __future__ import annotations

VERSION = "0.1.0"


def version_line() -> str:
    """``og 0.1.0``."""
    return f"og {VERSION}"
