# SPDX-License-Identifier: GPL-3.0-or-later
"""``og report``: one archive for support, without secrets."""

from __future__ import annotations

from oglib.cli.arguments import Subparsers, noun


def add_to(nouns: Subparsers) -> None:
    noun(nouns, "report", "one file for support: versions, disks, logs")
