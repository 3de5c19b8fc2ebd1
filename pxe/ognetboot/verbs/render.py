# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot render INVENTORY OUT [--test]`."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath

from ognetboot.errors import NetbootError
from ognetboot.inventory import reading
from ognetboot.inventory.checks import directory
from ognetboot.inventory.model import Inventory
from ognetboot.texts.loaders import places, read_loaders, told
from ognetboot.texts.pictures import pictures
from ognetboot.texts.publish import publish
from ognetboot.texts.render import in_order, needed_loaders, render
from ognetboot.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "render",
        help="write iPXE scripts, GRUB menus and dnsmasq.conf",
        description="Writes the tree OUT, which is the TFTP root and /netboot/ of the HTTP server. "
        "All or nothing: a PC that boots meanwhile sees the old files or the new ones.",
    )
    verb.set_defaults(run=run)
    verb.add_argument(
        "inventory", type=Path, metavar="INVENTORY", help="TOML file: server, entries, rooms, PCs"
    )
    verb.add_argument(
        "out", type=Path, metavar="OUT", help="folder to write, e.g. build/www/netboot"
    )
    verb.add_argument(
        "--test",
        action="store_true",
        help="allow the test and debug profiles, whose root console is open",
    )
    verb.add_argument(
        "--loaders",
        type=Path,
        metavar="DIR",
        help="look here first for loaders: under the names they are served by (snponly.efi), or as "
        "in Debian's packages (usr/lib/ipxe/snponly.efi); then in those of `make setup`, then in /",
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="refuse what would be refused; write nothing"
    )


def run(args: argparse.Namespace) -> str:
    """Render and publish."""
    out: Path = args.out
    inventory = reading.load(args.inventory, allow_test=args.test)
    place = out.parent.resolve() / out.name
    texts = render(inventory, _tftp_root(inventory, place))
    loaders = read_loaders(needed_loaders(inventory), places(args.loaders))
    files = {
        **{name: text.encode("utf-8") for name, text in texts.items()},
        **pictures(inventory, args.inventory.parent),
        **{PurePosixPath(name): found.content for name, found in loaders.items()},
    }
    changes = publish(place, in_order(files), _links(inventory), dry_run=args.dry_run)
    if not changes:
        return f"{out}: nothing to change"
    count = len(inventory.clients)
    done = "would be written" if args.dry_run else "written"
    gone = f", {len(changes.removed)} removed" if changes.removed else ""
    return "\n".join(
        [
            f"{out}: {count} PC{'' if count == 1 else 's'}, {len(files)} files, "
            f"{len(changes.written)} {done}{gone}",
            *told(loaders),
        ]
    )


def _tftp_root(inventory: Inventory, place: Path) -> PurePosixPath:
    if inventory.server.tftp_root is not None:
        return inventory.server.tftp_root
    try:
        return directory(str(place))
    except ValueError as error:
        raise NetbootError(
            f"OUT: {error}, and dnsmasq would misread it",
            hint="choose a plain path, or set `tftp_root` in [server] to where it will be served",
        ) from None


def _links(inventory: Inventory) -> dict[PurePosixPath, str]:
    """The artefact folders lie beside OUT under the HTTP root; a link lets TFTP reach them too."""
    folders = {e.folder for e in inventory.entries}
    return {PurePosixPath(name): f"../{name}" for name in sorted(folders | {"oglive"})}
