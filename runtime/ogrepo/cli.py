# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo VERB``: the words of its command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from oglib.errors import UsageError
from ogrepo import verbs
from ogrepo.install import command as install
from ogrepo.intake.ledger import MOST_BYTES

_PORT = 8080
_Words = Any  # argparse names no class for it


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
    whole_server = install.add_to(words)

    keygen = words.add_parser("keygen", help="make a repository with its signing key")
    keygen.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    keygen.add_argument("--comment", default="", help="who signs, for people")
    keygen.set_defaults(run=verbs.keygen)

    token = words.add_parser("token", help="print a token that lets a PC upload one image")
    token.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    token.add_argument("name", nargs="?", metavar="NAME")
    token.set_defaults(run=verbs.token)

    server = _add_serve(words)

    listing = words.add_parser("list", help="the images of a repository")
    listing.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    listing.set_defaults(run=verbs.list_images)

    verify = words.add_parser("verify", help="prove images against their digests and signature")
    verify.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    verify.add_argument("name", nargs="?", metavar="NAME", help="default: every image")
    verify.set_defaults(run=verbs.verify)

    for verb in (keygen, token, listing, verify, server, *whole_server):
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
    _settle_folder(arguments)
    return arguments


def _add_serve(words: _Words) -> argparse.ArgumentParser:
    server: argparse.ArgumentParser = words.add_parser(
        "serve", help="serve a repository until Ctrl-C"
    )
    server.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    server.add_argument("--bind", default="0.0.0.0", metavar="IP", help="default: all")  # noqa: S104
    server.add_argument("--port", type=int, default=_PORT, help=f"default {_PORT}; 0 = any free")
    server.add_argument(
        "--certificate", type=Path, metavar="PEM", help="serve https with this chain and --key"
    )
    server.add_argument("--key", type=Path, metavar="PEM", help="the certificate's private key")
    server.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="NET",
        help="an address or network of proxies that ask for many PCs; may be given again",
    )
    server.add_argument(
        "--most-gib",
        type=int,
        default=MOST_BYTES >> 30,
        metavar="N",
        help=f"what one token may bring in all, default {MOST_BYTES >> 30}",
    )
    server.set_defaults(run=verbs.serve_folder)
    return server


def _settle_folder(arguments: argparse.Namespace) -> None:
    """DIR comes first, or anywhere as ``--dir DIR``; a NAME behind it moves up then."""
    said = vars(arguments)
    option = said.pop("dir_option")
    if option is not None:
        spare = said["dir"]
        if spare is not None and said.get("name", "") is not None:
            raise UsageError(f"Two folders are named: {spare} and {option}.")
        if spare is not None:
            said["name"] = str(spare)
        said["dir"] = option
    if said["dir"] is None:
        raise UsageError("The repository's folder is missing.", hint="Write it behind the verb.")


def execute(arguments: argparse.Namespace) -> int:
    """Run what ``parse`` understood."""
    return int(arguments.run(arguments))
