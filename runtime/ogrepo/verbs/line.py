# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command lines of all verbs have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oglib.errors import UsageError

Words = Any  # argparse names no class for what ``add_subparsers`` makes


@dataclass(frozen=True, slots=True)
class Behind:
    """A word behind the folder. ``missing``: what is said where it must be there, or empty.

    ``many``: any number of words, which come last.
    """

    dest: str
    metavar: str
    missing: str = ""
    help: str | None = None
    many: bool = False


NAME = Behind("name", "NAME", "The image's name is missing.")


def add_verb(
    words: Words,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *behind: Behind,
    help: str,
    description: str | None = None,
    folder: str = "the repository's folder, e.g. /srv/oglive",
) -> argparse.ArgumentParser:
    """The parser of a verb that has DIR and what stands behind it."""
    verb: argparse.ArgumentParser = words.add_parser(name, help=help, description=description)
    verb.add_argument("dir", nargs="?", type=Path, metavar="DIR", help=folder)
    for one in behind:
        nargs = "*" if one.many else "?"
        verb.add_argument(one.dest, nargs=nargs, metavar=one.metavar, help=one.help)
    verb.set_defaults(run=run, behind=behind)
    return verb


def settle_folder(arguments: argparse.Namespace) -> None:
    """DIR comes first, or anywhere as ``--dir DIR``; the words behind it move up then."""
    said = vars(arguments)
    option = said.pop("dir_option")
    behind = said.pop("behind", ())
    if option is not None:
        spare = said["dir"]
        for one in behind:
            if one.many:
                said[one.dest] = [*([str(spare)] if spare else []), *said[one.dest]]
                spare = None
                continue
            said[one.dest], spare = spare and str(spare), said[one.dest]
        if spare is not None:
            raise UsageError(f"Two folders are named: {said['dir']} and {option}.")
        said["dir"] = option
    if said["dir"] is None:
        raise UsageError("The repository's folder is missing.", hint="Write it behind the verb.")
    for one in behind:
        if one.missing and said[one.dest] is None:
            raise UsageError(one.missing, hint="Write it behind the folder.")


def plain(text: str) -> str:
    """Text that came from a PC, without what would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
