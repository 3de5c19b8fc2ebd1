# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot import csv|database|ogserver SOURCE OUT`: the inventory of another system."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.inventory import reading
from ognetboot.inventory.importing import csv_file, ogserver, opengnsys
from ognetboot.inventory.importing.brought import Brought
from ognetboot.inventory.importing.outcome import Outcome
from ognetboot.inventory.importing.pcs import build
from ognetboot.inventory.importing.writing import added_text, new_text, proven
from ognetboot.inventory.saving import open_inventory, put, save
from ognetboot.verbs import Verbs, add_json

_CSV, _DATABASE, _OGSERVER = "csv", "database", "ogserver"


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "import",
        help="make an inventory of a CSV file, an OpenGnsys export or an ogServer",
        description="Reads PCs, rooms, groups and centres elsewhere and writes them as an "
        "inventory. It ends with three lists: what was taken, what has another name now, and what "
        "is not representable, each with its reason; then what is there already, and how many PCs "
        "were left out. Nothing is changed where it reads.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("what", choices=(_CSV, _DATABASE, _OGSERVER), help="what SOURCE is")
    verb.add_argument(
        "source", metavar="SOURCE", help="a file (mysqldump of ogAdmBD), or https://SERVER:8888"
    )
    verb.add_argument("out", type=Path, metavar="OUT", help="the inventory to write")
    target = verb.add_mutually_exclusive_group()
    target.add_argument("--into", action="store_true", help="OUT is there: add what is new to it")
    target.add_argument("--force", action="store_true", help="OUT may be there: write it anew")
    verb.add_argument(
        "--room", default="", metavar="TITLE", help="the room of PCs of a CSV file without one"
    )
    verb.add_argument(
        "--token-file", type=Path, metavar="FILE", help="api_token of ogServer, alone in a file"
    )
    verb.add_argument("--ca", type=Path, metavar="FILE", help="the CA of an ogServer with https")
    verb.add_argument("--dry-run", action="store_true", help="say the lists; write nothing")
    add_json(verb)


def run(args: argparse.Namespace) -> str:
    """Read, build, prove, write; the lists are the answer."""
    out: Path = args.out
    if out.exists() and not (args.into or args.force):
        raise NetbootError(
            f"{out} is there already",
            hint="add what is new with --into, or write it anew with --force",
        )
    brought = _brought(args)
    if args.into:
        opened = open_inventory(out)
        outcome = build(brought, reading.parse(opened.text, source=out.name, allow_test=True))
        text = added_text(opened.text, outcome)
        missing = proven(text, out.name)
        if not args.dry_run:
            save(opened, text)
    else:
        outcome = build(brought)
        text = new_text(brought, outcome)
        missing = proven(text, out.name)
        if not args.dry_run:
            put(out, text, anew=args.force)
    return _report(args, outcome, missing)


def _brought(args: argparse.Namespace) -> Brought:
    if args.what == _OGSERVER:
        if args.token_file is None:
            raise NetbootError(
                "an ogServer answers only with its token", hint="give --token-file FILE"
            )
        where = ogserver.address(args.source, args.ca)
        ask = ogserver.asker(where, ogserver.read_token(args.token_file))
        return ogserver.read_ogserver(ask, args.source)
    limit = csv_file.MOST_BYTES if args.what == _CSV else opengnsys.MOST_BYTES
    path = Path(args.source)
    data = keeping.read(path, limit)
    if data is None:
        raise NetbootError(f"there is no {path}", hint="check the path")
    if args.what == _DATABASE:
        return opengnsys.read_dump(data, path.name)
    return csv_file.read_csv(opengnsys.decoded(data), path.name, args.room)


def _report(args: argparse.Namespace, outcome: Outcome, missing: list[str]) -> str:
    if args.json:
        told = outcome.as_json() | {"out": str(args.out), "to_be_filled_in": missing}
        return json.dumps(told, ensure_ascii=False)
    done = "would be written" if args.dry_run else "written"
    count = sum(table.family == "clients" for table in outcome.tables)
    lines = [outcome.report(), f"{args.out}: {count} PC{'' if count == 1 else 's'} {done}"]
    if missing:
        lines.append(f"To be filled in: {', '.join(missing)}")
    if end := outcome.end():
        lines.append(end)
    return "\n".join(lines)
