# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot mode -- FILE` and `ognetboot mode -- TEMPLATE PC-OR-ROOM TEMP|PERM`.

It is behind `/opt/opengnsys/bin/setclientmode`, which OpenGnsys calls (`render --ogserver` writes
it). Exit codes are those of OpenGnsys' server scripts: 1 misused or refused, 2 no such PC, room or
mode.
"""

from __future__ import annotations

import argparse

from ognetboot.assigning import clientmode, setting
from ognetboot.assigning.clientmode import Mode
from ognetboot.assigning.setting import Limits
from ognetboot.verbs import Verbs, add_inventory, add_test
from ognetboot.verbs.giving import add_tree, at_desk, give

_BY = "opengnsys"


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "mode",
        help="what OpenGnsys orders with setclientmode",
        description=f"{clientmode.USAGE}. TEMP: for this once. PERM: for good. FILE is one of "
        f"ogServer's and has four lines, in this order: {clientmode.ORDER}. TEMPLATE, or ENTRY "
        "there, is an entry's name, or what OpenGnsys shows of it. Exit code 2: no such PC, room "
        "or mode.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("words", nargs="*", metavar="ARG", help="as setclientmode has them")
    add_inventory(verb)
    add_tree(verb)
    add_test(verb)


def run(args: argparse.Namespace) -> str:
    """Give what was ordered."""
    if args.words == ["help"]:
        return clientmode.USAGE
    order = clientmode.order_of(args.words)
    with at_desk(args, by=_BY) as desk:
        scope = clientmode.scope_of(desk.inventory, order)
        entry = clientmode.entry_of(desk.inventory, order.template)
        limits = {Mode.TEMP: Limits(boots=1), Mode.PERM: Limits()}[order.mode]
        return give(desk, setting.whom(desk.inventory, scope), entry, limits)
