# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts as a person reads them."""

from __future__ import annotations


def human_bytes(count: float) -> str:
    """``1536`` as ``1.5 KiB``: binary units, three digits at most before the unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def human_seconds(seconds: float) -> str:
    """``42 s``, ``3 min``, ``5 h``: as exact as a guess can be."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{min(seconds / 3600, 9999):.0f} h"
