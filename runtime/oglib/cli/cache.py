# SPDX-License-Identifier: GPL-3.0-or-later
"""``og cache create|format|mount|list|evict|delete|check``."""

from __future__ import annotations

from oglib.cli.arguments import Subparsers, noun


def add_to(nouns: Subparsers) -> None:
    noun(nouns, "cache", "the local store of images")
