# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot serve INVENTORY OUT`: DHCP, TFTP, HTTP, and what PCs report, by one command."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import ognetboot
from ognetboot import keeping
from ognetboot.assigning.offers import next_change, offers_at
from ognetboot.assigning.store import Store
from ognetboot.errors import NetbootError
from ognetboot.inventory import reading
from ognetboot.inventory.model import Dhcp, Inventory
from ognetboot.serving import units
from ognetboot.serving.command import ServeRequest, check, serve
from ognetboot.serving.tree import Written
from ognetboot.texts.server_files import FORMS_PORT, server_files
from ognetboot.verbs import Verbs, add_loaders
from ognetboot.verbs.render import texts_for, tftp_root, write

_USER = "ognetboot"
_DNSMASQ = PurePosixPath("dnsmasq.conf")


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "serve",
        help="serve DHCP, TFTP and HTTP to the PCs of a site",
        description="Renders INVENTORY into OUT, and again when the inventory is saved, something "
        "is assigned or a time has come; runs dnsmasq for DHCP and TFTP; serves OUT and ogLive's "
        "folders beside it over HTTP; hears what PCs report, registers unknown ones, and judges "
        "passwords. Until Ctrl-C or SIGTERM.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("inventory", type=Path, metavar="INVENTORY", help="the inventory's file")
    verb.add_argument(
        "out", type=Path, metavar="OUT", help="the tree that is served, e.g. /srv/oglive/netboot"
    )
    verb.add_argument("--no-dhcp", action="store_true", help="another program does DHCP")
    verb.add_argument("--no-tftp", action="store_true", help="another program does TFTP")
    verb.add_argument("--no-http", action="store_true", help="another program does HTTP")
    verb.add_argument(
        "--bind",
        default="0.0.0.0",  # noqa: S104 - PCs come from every network of the site
        metavar="ADDRESS",
        help="where HTTP listens (default: %(default)s)",
    )
    verb.add_argument(
        "--behind",
        type=int,
        metavar="PORT",
        help="answer /netboot/do/ alone, on this port of 127.0.0.1, for nginx to pass on to",
    )
    verb.add_argument(
        "--log", type=Path, metavar="FILE", help="take fetches in this access log for reports"
    )
    verb.add_argument(
        "--leases",
        type=Path,
        metavar="FILE",
        help="where the addresses that were given are kept (default: beside the inventory)",
    )
    add_loaders(verb)
    verb.add_argument(
        "--test", action="store_true", help="allow profiles whose root console is open"
    )
    verb.add_argument(
        "--check", action="store_true", help="say what would be served and what is missing; stop"
    )
    verb.add_argument(
        "--install-units",
        type=Path,
        metavar="DIR",
        help="write the systemd units of a larger site there, e.g. /etc/systemd/system; stop",
    )
    verb.add_argument(
        "--print-units",
        metavar="USER",
        help="print as JSON the units that keep OUT as this user, for a program that writes them",
    )


def run(args: argparse.Namespace) -> str:
    """Check, write units, or serve."""
    if args.behind is not None and not 1024 <= args.behind <= 65535:
        raise NetbootError(f"{args.behind} is no port for it", hint="choose one above 1023")
    if args.install_units is not None:
        return _install_units(args)
    if args.print_units is not None:
        return json.dumps(units.keeping_units(_place(args, args.print_units)))
    request = ServeRequest(
        inventory=args.inventory.absolute(),
        out=args.out.parent.resolve() / args.out.name,
        bind=args.bind,
        behind=args.behind,
        with_dhcp=not args.no_dhcp,
        with_tftp=not args.no_tftp,
        with_http=not args.no_http,
        log=args.log,
        leases=args.leases and args.leases.absolute(),
    )
    if args.check:
        return check(request, lambda: _written(request, args, dry_run=True))
    serve(request, lambda: _written(request, args), lambda found: _child(request, found))
    return "ognetboot has stopped."


def _written(request: ServeRequest, args: argparse.Namespace, *, dry_run: bool = False) -> Written:
    inventory = reading.load(request.inventory, allow_test=args.test)
    now = datetime.now(UTC)
    assigned = Store(request.inventory).read()
    texts = texts_for(inventory, request.out, offers_at(inventory, assigned, now))
    changed = write(
        inventory, request.out, texts, args.loaders, source=request.inventory, dry_run=dry_run
    )
    then = next_change(assigned, now, inventory)
    child = texts[_DNSMASQ] if request.with_dhcp else _child(request, inventory)
    return Written(inventory, child, bool(changed), then)


def _child(request: ServeRequest, inventory: Inventory) -> str:
    """What our own dnsmasq is told. What the tree says of DHCP stays: another program serves it."""
    if not request.with_dhcp:
        inventory = replace(inventory, server=replace(inventory.server, dhcp=Dhcp.OFF))
    return server_files(inventory, tftp_root(inventory, request.out))[_DNSMASQ]


def _owner(out: Path) -> str:
    """Whose the tree is, or its folder; a user of our own where that is root."""
    there = next(place for place in (out, *out.parents) if place.exists())
    try:
        owner = there.owner()
    except KeyError:  # a number without a name
        return _USER
    return _USER if owner == "root" else owner


def _place(args: argparse.Namespace, user: str) -> units.Place:
    program = Path(sys.prefix, "bin/ognetboot")
    if not program.is_file():
        raise NetbootError(f"the program {program} is missing", hint="install ognetboot")
    code = {Path(sys.prefix), Path(sys.base_prefix), Path(ognetboot.__file__).resolve().parents[2]}
    place = units.Place(
        program=program,
        code=tuple(sorted(code)),
        inventory=args.inventory.resolve(),
        out=args.out.parent.resolve() / args.out.name,
        port=args.behind or FORMS_PORT,
        user=user,
    )
    reading.load(place.inventory, allow_test=args.test)
    return place


def _install_units(args: argparse.Namespace) -> str:
    place = _place(args, _owner(args.out.absolute()))
    files = units.units(place)
    for name, text in files.items():
        path = args.install_units / name
        path.parent.mkdir(parents=True, exist_ok=True)
        keeping.write(path, text.encode())
    return f"{args.install_units}: {', '.join(files)} written\n{units.next_steps(place)}"
