# SPDX-License-Identifier: GPL-3.0-or-later
"""``og NOUN VERB``: arguments to calls, results to text or JSON; one file per noun.

Only here is ``--dry-run`` known: it stops after the plan was printed. Errors pass through to
``__main__``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from oglib import reporters, settings
from oglib.cli.arguments import DEBUG_HELP
from oglib.cli.context import Context, Handler
from oglib.cli.words import options_first, refuse_unknown, spelled_out
from oglib.ending import last_words
from oglib.errors import OgErr, UsageError, printable
from oglib.rights import need_root, stating_rights
from oglib.version import version_line
from oglib.views.output import as_json
from oglib.wording import columns, waits

# A noun's module is imported only when it is asked for: a command must start fast.
_NOUNS = {
    "disk": "oglib.cli.disk",
    "fs": "oglib.cli.filesystem",
    "cache": "oglib.cli.cache",
    "image": "oglib.cli.image",
    "os": "oglib.cli.system",
    "boot": "oglib.cli.boot",
    "deploy": "oglib.cli.deploy",
    "job": "oglib.cli.job",
    "inventory": "oglib.cli.inventory",
    "report": "oglib.cli.report",
}


class _Formatter(argparse.HelpFormatter):
    """As wide as the terminal. argparse makes one for every argument, and asks shutil each time."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=(columns.of(sys.stdout) or columns.USUAL) - 2)


class _Parser(argparse.ArgumentParser):
    """Wrong arguments are an error like any other: OG_ERR_FORMAT, not argparse's 2.

    No option may be shortened: ``--y`` in a script would one day mean another one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        usual = {"allow_abbrev": False, "formatter_class": _Formatter}
        super().__init__(*args, **{**usual, **kwargs})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._subparsers is None and args is not None:
            args = options_first(self, args)
        known, spare = super().parse_known_args(args, namespace)
        if spare := [word for word in spare if word != "--"]:
            # Here, where the help is the verb's: that of ``og`` alone names nouns.
            self.error(f"there are words too many: {' '.join(spare)}")
        return known, []

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None:
            refuse_unknown(self, action, value)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", hint=f"See `{self.prog} --help`.")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        parser.exit(message=f"{version_line()}\n")


def parser(noun: str = "") -> argparse.ArgumentParser:
    """The grammar of one noun, or of all when it is none that is known."""
    top = _Parser(prog="og", description="Disks, images and systems of this PC.")
    top.add_argument("--debug", action="store_true", help=DEBUG_HELP)
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    nouns = top.add_subparsers(metavar="NOUN", required=True, parser_class=_Parser, prog="og")
    for module in [_NOUNS[noun]] if noun in _NOUNS else _NOUNS.values():
        import_module(module).add_to(nouns)
    return top


def main(argv: Sequence[str], known: argparse.ArgumentParser | None = None) -> int:
    """Run one command and print its result; returns the exit code of one that ran.

    ``known`` is the grammar that ``parser`` gives for it.
    """
    known = known or parser(argv[0] if argv else "")
    if not argv:
        known.print_help()
        return int(OgErr.FORMAT)
    args = known.parse_args(spelled_out(argv))
    loaded = settings.load()
    if repository := getattr(args, "repo", ""):
        loaded = settings.with_repository(loaded, repository, "--repo ")
    context = Context(args=args, settings=loaded, progress=reporters.for_stream(as_json=args.json))
    waits.report_to(context.progress.waits)
    handler: Handler = args.handler
    what = f"`og {' '.join([word for word in argv if word[:1] != '-'][:2])}`"
    if hasattr(args, "dry_run"):  # a verb that destroys: nothing of it can go without
        need_root(what)
    with stating_rights(what):
        result = handler(context)
    text = as_json(result.data) if args.json else result.text
    if text or result.diff:
        with last_words():
            _print(text, b"" if args.json else result.diff, as_json=args.json)
    return result.status


def _print(text: str, diff: bytes, *, as_json: bool) -> None:
    """The text, and a diff as a screen can have it or, for ``patch``, byte for byte."""
    room = None if as_json else columns.of(sys.stdout)
    lines = text.split("\n") if text else []
    if diff and sys.stdout.isatty():
        from oglib.fitting.edits import shown  # noqa: PLC0415 - a command must start fast

        lines += [line.expandtabs() for line in shown(diff).split("\n")[:-1]]
        diff = b""
    for line in lines:
        print("\n".join(columns.broken(printable(line), room, indent="  ")))
    if diff:
        sys.stdout.flush()
        sys.stdout.buffer.write(diff)
