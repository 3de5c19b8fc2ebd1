# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot follow LOG`: fetches in a server's log use up what is given this once."""

from __future__ import annotations

import argparse
from pathlib import Path

from ognetboot.serving.command import follow_alone
from ognetboot.verbs import Verbs, add_inventory


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "follow",
        help="take fetches in a server's access log for reports",
        description="For a site whose HTTP server hears no reports: follows its access log (nginx' "
        "combined form), and an entry that a PC was given `--once` is used up when its file was "
        "fetched. Until Ctrl-C.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("log", type=Path, metavar="LOG", help="e.g. /var/log/nginx/access.log")
    add_inventory(verb)


def run(args: argparse.Namespace) -> str:
    """Follow it."""
    follow_alone(args.log, args.inventory)
    return "ognetboot has stopped."
