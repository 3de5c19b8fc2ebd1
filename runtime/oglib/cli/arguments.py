# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nouns' parsers have in common: how a verb is declared and its usual options."""

from __future__ import annotations

import argparse
from typing import Protocol

from oglib.cli.context import Handler

DEBUG_HELP = "show where in ogLive an error was raised (a traceback)"


class Subparsers(Protocol):
    """What ``add_subparsers`` returns, as far as it is used here."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser: ...


def noun(nouns: Subparsers, name: str, text: str) -> Subparsers:
    made = nouns.add_parser(name, help=text, description=text)
    return made.add_subparsers(
        metavar="VERB", required=True, parser_class=type(made), prog=made.prog
    )


def verb(
    verbs: Subparsers,
    name: str,
    handler: Handler,
    text: str,
    *,
    destroys: bool = False,
    repository: bool = False,
) -> argparse.ArgumentParser:
    """A verb with ``--json``; one that destroys also gets ``--yes`` and ``--dry-run``.

    ``repository``: it may talk to one, and gets ``--repo``.
    """
    made = verbs.add_parser(name, help=text, description=text)
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("--debug", action="store_true", help=DEBUG_HELP)
    if destroys:
        made.add_argument("--yes", action="store_true", help="do not ask before data are lost")
        made.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    if repository:
        made.add_argument(
            "--repo", metavar="HOST[:PORT]", default="",
            help="the repository; default: OGREPO of the environment, or what this boot was told",
        )  # fmt: skip
    made.set_defaults(handler=handler)
    return made


def add_method(parser: argparse.ArgumentParser) -> None:
    """How an image comes: ``method`` and ``fallback`` of a job."""
    parser.add_argument(
        "--method",
        default="",
        metavar="METHOD",
        help="how the image comes: unicast-cache, unicast-direct, multicast-cache, …; "
        "default: as this boot says, else directly",
    )
    parser.add_argument(
        "--no-fallback", action="store_true", help="try no other way where that one fails"
    )


def add_disk(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "disk",
        metavar="DISK",
        help="number, path, serial, WWN, LABEL=, PARTUUID=, system, nvme, largest, or a file",
    )


def add_partition(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument(
        "part", metavar="PART", nargs="?" if optional else None, help="number or PARTUUID="
    )
