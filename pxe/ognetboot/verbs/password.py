# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot password SCOPE`: what opens locked entries. Never an argument."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.hearing import passwords
from ognetboot.inventory import reading
from ognetboot.inventory.scopes import find_scope
from ognetboot.verbs import Verbs, add_inventory, add_test

_SHORTEST = 8
_MOST_BYTES = 64 << 10


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "password",
        help="set the password that opens locked entries for a scope",
        description="Asks for the password twice on a terminal, or reads one line of standard "
        "input or of a file. It has "
        f"{_SHORTEST} to {passwords.LONGEST} characters, all of ASCII: no boot menu lets a person "
        "type others. Kept is what scrypt makes of it, in NAME.passwords.json beside the "
        "inventory, which only its owner may read.",
    )
    verb.set_defaults(run=run)
    verb.add_argument(
        "scope",
        metavar="SCOPE",
        help="all, centre:X, room:X, group:X or pc:X; a PC takes the passwords of all it stands in",
    )
    verb.add_argument(
        "--file", type=Path, metavar="FILE", help="read it from this file's first line"
    )
    verb.add_argument("--remove", action="store_true", help="take the scope's password away")
    add_inventory(verb)
    add_test(verb)


def run(args: argparse.Namespace) -> str:
    """Ask and keep it."""
    inventory = reading.load(args.inventory, allow_test=args.test)
    scope = str(find_scope(inventory, args.scope))
    password = None if args.remove else _asked(args.file)
    passwords.set_password(args.inventory, scope, password)
    done = f"{scope} has no password any more" if args.remove else f"the password of {scope} is set"
    return f"{passwords.passwords_file(args.inventory)}: {done}"


def _asked(file: Path | None) -> str:
    if file is not None:
        found = keeping.read(file, _MOST_BYTES)
        if found is None:
            raise NetbootError(f"there is no file {file}", hint="name the file of the password")
        text = _line(found.partition(b"\n")[0])
    elif sys.stdin.isatty():
        text = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != text:
            raise NetbootError("the two are not the same", hint="try again")
    else:
        text = _line(sys.stdin.buffer.readline(passwords.LONGEST * 4 + 1))
    return _checked(text)


def _line(data: bytes) -> str:
    try:
        return data.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise NetbootError("the password is not UTF-8 text", hint="type it anew") from None


def _checked(text: str) -> str:
    """What a PC's firmware can type, whatever its keyboard: it knows no keymap."""
    if not _SHORTEST <= len(text) <= passwords.LONGEST:
        raise NetbootError(
            f"a password has {_SHORTEST} to {passwords.LONGEST} characters, and this one has "
            f"{len(text)}",
            hint="choose another one",
        )
    if not text.isascii() or not text.isprintable():
        raise NetbootError(
            "the password holds characters that no boot menu lets a person type",
            hint="letters and digits are on the same keys of most keyboards",
        )
    return text
