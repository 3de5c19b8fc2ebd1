# SPDX-License-Identifier: GPL-3.0-or-later
"""``og inventory hardware|software|os``."""

from __future__ import annotations

from oglib.cli.arguments import Subparsers, noun


def add_to(nouns: Subparsers) -> None:
    noun(nouns, "inventory", "what this PC consists of and what is installed on it")
