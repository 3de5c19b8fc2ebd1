# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot check INVENTORY [OTHER ...]`: every fault, with file, line and cause."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from ognetboot.checking.given import rule_of_given, warn_of_given
from ognetboot.checking.loader_limits import Loaders
from ognetboot.checking.outside import warn_of_outside
from ognetboot.checking.report import as_json, check, claims
from ognetboot.errors import FoundFaultsError
from ognetboot.texts.loaders import ipxe_is_old, places, read_loaders
from ognetboot.texts.loaders import told as loaders_told
from ognetboot.verbs import Verbs, add_json, add_loaders, add_test


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "check",
        help="name every fault of an inventory, with its line and cause",
        description="Writes nothing. Errors keep an inventory from being rendered (exit code 1), "
        "warnings do not. With several inventories: a PC that two of them claim is an error too.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("inventory", type=Path, nargs="+", metavar="INVENTORY", help="TOML files")
    add_loaders(verb)
    add_test(verb)
    add_json(verb)


def run(args: argparse.Namespace) -> str:
    """The report; raised where there are errors."""
    folders = places(args.loaders)
    loaders = Loaders(ipxe_is_old(folders))
    now = datetime.now(UTC)
    checked = [
        check(path, allow_test=args.test, loaders=loaders, now=now) for path in args.inventory
    ]
    beside, rules = claims(checked), list[str]()
    for each in checked:
        if each.reading is not None and each.reading.inventory is not None:
            beside += warn_of_given(each.path, each.reading.inventory, now)
            beside += warn_of_outside(each.path, each.reading, folders)
            rules += rule_of_given(each.path, each.reading.inventory, now)
    told = [one for each in checked for one in each.told] + beside
    errors = sum(one.severity == "error" for one in told)
    if args.json:
        report = json.dumps(as_json(checked, beside), ensure_ascii=False)
    else:
        names = " and ".join(str(path) for path in args.inventory)
        end = f"{names}: {_count(errors, 'error')}, {_count(len(told) - errors, 'warning')}"
        served = loaders_told(read_loaders((), folders))
        report = "\n".join([*map(str, told), *rules, *served, end])
    if errors:
        raise FoundFaultsError(report)
    return report


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
