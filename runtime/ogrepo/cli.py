# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo VERB``: the words of its command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from oglib.errors import UsageError
from ogrepo.install import command as install
from ogrepo.verbs import (
    backup,
    importing,
    keys,
    listing,
    naming,
    prune,
    rollback,
    serve,
    sign,
    trash,
    verify,
    versions,
)
from ogrepo.verbs.line import settle_folder

# In the order in which the help shows them.
_VERBS = (
    install.add_to,
    keys.add_to,
    serve.add_to,
    listing.add_to,
    importing.add_to,
    verify.add_to,
    sign.add_to,
    naming.add_to,
    trash.add_to,
    versions.add_to,
    rollback.add_to,
    prune.add_to,
    backup.add_to,
)


class _Parser(argparse.ArgumentParser):
    """Wrong arguments are an error like any other, as with ``og``; no option may be shortened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", hint=f"See `{self.prog} --help`.")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that import is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        parser.exit(message=f"ogrepo {version('oglive')}\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line as a namespace that has ``run``; ``UsageError`` when it is wrong."""
    parser = _Parser(
        prog="ogrepo", description="Keep images in a folder and serve them to PCs over HTTP."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    parser.add_argument("--json", action="store_true", help="results and errors as JSON")
    words = parser.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    for verb in (verb for add_to in _VERBS for verb in add_to(words)):
        verb.add_argument("--dir", type=Path, dest="dir_option", help=argparse.SUPPRESS)
        verb.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        verb.set_defaults(parser=verb)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        # The help that lists what there is instead is the verb's.
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    del arguments.parser
    settle_folder(arguments)
    return arguments


def execute(arguments: argparse.Namespace) -> int:
    """Run what ``parse`` understood."""
    return int(arguments.run(arguments))
