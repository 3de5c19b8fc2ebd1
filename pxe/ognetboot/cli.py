# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot VERB ...`: the parser, and how what a verb says becomes text and an exit code.

Exit codes: 0 done or nothing to change, 1 refused (one sentence and a hint on standard error; on a
terminal it is folded to its width) or faults found, 2 usage; a verb may have others, which its help
says.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

from ognetboot.errors import FoundFaultsError, NetbootError

# Each is a module of `verbs/`, and only that of the verb that is asked for is loaded.
VERBS = (
    "approve",
    "check",
    "exam",
    "follow",
    "import",
    "list",
    "mode",
    "password",
    "preview",
    "render",
    "serve",
    "set",
    "show",
    "site",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _arguments(words)
        try:
            text, code = args.run(args), 0
        except FoundFaultsError as found:
            text, code = found.report, found.code
        _write(text, args)
    except NetbootError as error:
        hint = f"{error.hint[:1].upper()}{error.hint[1:]}"
        _say(f"{error.message}. {hint}{'' if hint.endswith('?') else '.'}")
        return error.code
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        _say(f"the system refused{named}: {error.strerror or error}. Check its rights.")
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _write(text: str, args: argparse.Namespace) -> None:
    """Print what a verb says. Names come from files and PCs: none moves a terminal's cursor.

    A reader that has enough of it, such as `head`, makes nothing of what was done undone.
    """
    if getattr(args, "json", False):
        text = _escaped(text)
    elif args.verb != "preview":  # which colours its lines itself
        text = "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "replace").decode(encoding), flush=True)
    except BrokenPipeError:
        # Python would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escaped(text: str) -> str:
    """JSON of the same meaning that any terminal and any encoding takes."""
    plain = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
    return "".join(
        char if char == "\n" or (char.isprintable() and (plain or char.isascii()))
        else json.dumps(char)[1:-1]
        for char in text
    )  # fmt: skip


def _say(text: str) -> None:
    """One line for a log or a pipe, folded for a terminal."""
    line = "".join(char if char.isprintable() else "?" for char in f"ognetboot: {text}")
    if sys.stderr.isatty():
        width = max(20, shutil.get_terminal_size().columns - 1)
        line = textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False)
    print(line, file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Wrong arguments are one sentence too; no option may be shortened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        _say(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")
        sys.exit(2)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that import is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        parser.exit(message=f"ognetboot {version('oglive')}\n")


def _arguments(words: list[str]) -> argparse.Namespace:
    """What was typed; what a verb does not know is told with that verb's help."""
    parser, verbs = _parser(words[:1] if words and words[0] in VERBS else VERBS)
    args, unknown = parser.parse_known_args(words)
    if unknown:
        verbs[args.verb].error(f"unrecognized arguments: {' '.join(unknown)}")
    return args


def _parser(
    verbs: Iterable[str],
) -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser, and each verb's own."""
    parser = _Parser(
        prog="ognetboot", description="Writes what the PCs of an inventory boot from the network."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    made = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in verbs:
        name = f"{verb}_" if verb == "import" else verb
        import_module(f"ognetboot.verbs.{name}").add(made)
    return parser, made.choices
