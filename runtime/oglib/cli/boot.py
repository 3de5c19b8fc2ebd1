# SPDX-License-Identifier: GPL-3.0-or-later
"""``og boot``: what starts a system, and its menu."""

from __future__ import annotations

from oglib.cli import boot_menu
from oglib.cli.arguments import Subparsers, noun


def add_to(nouns: Subparsers) -> None:
    boot_menu.add_to(noun(nouns, "boot", "what starts a system: menus and loaders"))
